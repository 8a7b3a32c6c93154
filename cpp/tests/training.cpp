// Training from C++: it learns, its bits do not depend on threads, a step allocates nothing after
// the first, nor does an evaluation beyond the check of its data and what it returns.
#include <algorithm>
#include <cmath>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "lamina/io/model_file.hpp"
#include "lamina/train/trainer.hpp"

using namespace lamina;

namespace {

constexpr Index kRows = 1000, kColumns = 20;

const char* kModel = R"({"seed": 1, "layers": [
  {"class": "Input", "shape": [20]},
  {"class": "Dense", "units": 64, "activation": "relu", "kernel_regularizer": {"class": "L2", "l2": 1e-4},
   "activity_regularizer": {"class": "L1L2", "l1": 1e-4, "l2": 1e-4}},
  {"class": "Dropout", "rate": 0.1},
  {"class": "Dense", "units": 48, "activation": "tanh"},
  {"class": "Dense", "units": 3, "activation": "softmax"}]})";

// The same numbers beside two columns of codes; one table of several tiles.
const char* kCodesModel = R"({"seed": 1, "layers": [
  {"class": "Parallel", "layers": [
    [{"class": "Input", "shape": [20]}],
    [{"class": "Input", "shape": [2], "kind": "codes", "cardinalities": [9, 3000]},
     {"class": "Parallel", "layers": [{"class": "Embedding", "output_dim": [3, 16]},
                                      {"class": "OneHot", "missing": "column"}]}]]},
  {"class": "Dense", "units": 24, "activation": "tanh"},
  {"class": "Dense", "units": 3, "activation": "softmax"}]})";

struct Table {
  std::vector<float> x = std::vector<float>(kRows * kColumns), y = std::vector<float>(kRows);
  std::vector<std::int32_t> codes = std::vector<std::int32_t>(kRows * 2);
  Data data;
  explicit Table(bool with_codes = false) {
    for (Index r = 0; r < kRows; ++r) {
      for (Index j = 0; j < kColumns; ++j)
        x[r * kColumns + j] = static_cast<float>(
            std::sin(0.7 * static_cast<double>(r * (j + 1)) + static_cast<double>(j)));
      y[r] = x[r * kColumns] > 0.5f ? 0.0f : x[r * kColumns + 1] > 0 ? 1.0f : 2.0f;
    }
    data.inputs = {{x.data(), DType::float32, kRows, kColumns, 4 * kColumns, 4}};
    data.targets = {{y.data(), DType::float32, kRows, 1, 4, 4}};
    for (Index r = 0; r < kRows; ++r)
      codes[r * 2] = static_cast<std::int32_t>(r % 9),
                codes[r * 2 + 1] = static_cast<std::int32_t>(r * 7 % 3000);
    if (with_codes) data.inputs.push_back({codes.data(), DType::int32, kRows, 2, 8, 4});
  }
};

std::unique_ptr<Trainer> make_trainer(const std::shared_ptr<Model>& model,
                                      const char* optimizer_spec) {
  auto optimizer = std::make_shared<Optimizer>(parse_json("optimizer", optimizer_spec));
  return Trainer::create(
      model, optimizer,
      {{parse_json("loss", R"("cce")"), parse_json("metrics", R"(["accuracy"])")}}, 7);
}

struct Outcome {
  std::string fingerprint;
  double first_loss = 0, last_loss = 0;
  long allocations_in_steps = 0;
};

Outcome train(int threads, const char* optimizer_spec, bool with_codes) {
  const Table table(with_codes);
  std::shared_ptr<Model> model =
      Model::create(parse_json("model", with_codes ? kCodesModel : kModel));
  const auto trainer = make_trainer(model, optimizer_spec);
  trainer->begin_fit(table.data, {100, 20, true, threads, true, {.exact_threads = true}});
  Outcome out;
  long before = 0;
  Monitor monitor;
  monitor.tick = [] { return true; };
  monitor.on_batch = [&](std::uint64_t step, const Sums&) {
    if (step % 10 == 1)
      before = allocations;  // after an epoch's first step
    else if (step % 10 == 0)
      out.allocations_in_steps += allocations - before;  // after its last
    return true;
  };
  for (int epoch = 0; epoch < 20; ++epoch) {
    const EpochResult result = trainer->run_epoch(monitor);
    CHECK(result.end == EpochEnd::complete);
    if (epoch == 0) {
      out.first_loss = result.means[0];
      out.allocations_in_steps = 0;
    }
    out.last_loss = result.means[0];
  }
  trainer->end_fit();
  out.fingerprint = fingerprint(*model);
  return out;
}

// Validation between epochs: from the second on it allocates what the check of its data does (a few
// rows, names, what thread_count() reads) and three small vectors: what it returns, which grows
// to two numbers, and where predictions go.
void check_allocations_of_evaluations() {
  const Table table;
  const auto trainer = make_trainer(Model::create(parse_json("model", kModel)), R"("adam")");
  const auto evaluate = [&] { trainer->evaluate(table.data, 256, 1, {}); };
  trainer->begin_fit(table.data, {100, 3, true, 1, true, {}});
  Monitor nobody;
  for (int epoch = 0; epoch < 3; ++epoch) {
    CHECK(trainer->run_epoch(nobody).end == EpochEnd::complete);
    const long all = allocations_of(evaluate);
    const long of_check = allocations_of([&] { trainer->check(table.data, 1); });
    std::printf("evaluation %d: %ld allocations, %ld of them by the check\n", epoch, all, of_check);
    CHECK(epoch == 0 || all - of_check == 3);
  }
  trainer->end_fit();
}

// What is kept from one evaluation to the next does not show in its results, whatever comes next.
void check_evaluations_of_all_shapes() {
  Table table;
  const std::shared_ptr<Model> model = Model::create(parse_json("model", kModel));
  Data few = table.data, many = table.data;
  few.subset = {5, 3, 900};
  few.weights = table.data.targets[0];
  for (Index r = 0; r < 6 * kRows; ++r) many.subset.push_back(r % kRows);  // worth threads
  const auto trainer = make_trainer(model, R"("adam")");
  for (const Data* data : {&table.data, &few, &many, &table.data, &few, &many})
    for (const int threads : {1, 3})
      CHECK(trainer->evaluate(*data, 256, threads, {}) ==
            make_trainer(model, R"("adam")")->evaluate(*data, 64, 1, {}));
  const auto before = trainer->evaluate(table.data, 256, 1, {});
  model->set_trainable("dense", false);
  CHECK(trainer->evaluate(table.data, 256, 1, {}) == before);
}

// Watching changes no weight; what it says does not depend on threads, blocks or tiles.
void check_watched_steps() {
  const Table table;
  struct Watched {
    std::string fingerprint;
    std::vector<double> numbers;
  };
  const auto watch = [&](bool watches, int threads, const Scheduling& scheduling) {
    const std::shared_ptr<Model> model = Model::create(parse_json("model", kModel));
    const auto trainer = make_trainer(model, R"("adam")");
    FitOptions options{100, 3, true, threads, true, scheduling};
    options.watch = watches;
    trainer->begin_fit(table.data, options);
    Watched out;
    Monitor nobody;
    for (int epoch = 0; epoch < 3; ++epoch) {
      for (const LayerNorms& one : trainer->run_epoch(nobody).norms)
        out.numbers.insert(out.numbers.end(), {one.gradient, one.update, one.weight});
      std::vector<LayerStatistics> layers;
      trainer->observe(table.data, threads, {}, &layers);
      CHECK(!layers.empty());
      for (const LayerStatistics& one : layers)
        for (const double x : {one.mean, one.spread, one.dead, one.saturated})
          out.numbers.push_back(std::isnan(x) ? -1 : x);
    }
    trainer->end_fit();
    out.fingerprint = fingerprint(*model);
    return out;
  };
  const Watched alone = watch(true, 1, {});
  CHECK(alone.numbers.size() > 30);
  const Watched shared = watch(true, 3, {16, 48, true});
  CHECK(shared.numbers == alone.numbers && shared.fingerprint == alone.fingerprint);
  CHECK(watch(false, 1, {}).fingerprint == alone.fingerprint);
}

}  // namespace

namespace {

// Few rows may be shared by columns: the same bits on any number of threads.
void check_shares_of_columns() {
  const auto model = Model::create(parse_json("model", R"({"seed": 3, "layers": [
      {"class": "Input", "shape": [900]}, {"class": "Dense", "units": 700, "activation": "relu"},
      {"class": "Dense", "units": 777, "activation": "tanh"},
      {"class": "Dense", "units": 3, "activation": "softmax"}]})"));
  const auto& net = dynamic_cast<const ModelOf<float>&>(*model);
  const Plan plan(net.graph(), PlanOptions{});
  std::vector<float> x(16 * 900);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i));
  const std::vector<ArrayView> inputs = {{x.data(), DType::float32, 16, 900, 3600, 4}};
  for (const Index rows : {1, 2, 3, 5, 16}) {
    Workspace<float> alone(plan, 16, 16, 1);
    const Batch batch{{nullptr, 0, rows}, &inputs};
    alone.begin(net.weights(), batch, false, 0, {}, 0);
    alone.enter_block(0, {0, rows});
    for (const Action& action : plan.stages[0].actions) alone.act(action, 0, {0, rows});
    for (const int threads : {2, 3, 7}) {
      Workspace<float> shared(plan, 16, 16, threads);
      shared.begin(net.weights(), batch, false, 0, {}, 0);
      shared.enter_block(0, {0, rows});
      int regions = 0;
      for (const Action& action : plan.stages[0].actions) {
        if (action.kind == ActionKind::forward)
          regions +=
              static_cast<const Op<float>&>(*plan.graph.ops[static_cast<std::size_t>(action.op)])
                  .shares_columns(rows);
        shared.act_together(action, threads, {0, rows});
      }
      CHECK(regions == 2);
      const float *a = alone.values(0, plan.outputs[0]).row(0),
                  *b = shared.values(0, plan.outputs[0]).row(0);
      CHECK(std::equal(a, a + rows * 3, b));
    }
  }
}

}  // namespace

namespace {

// Kernels that wait for data get them when the first fit begins, once, or by hand: the same bits.
void check_data_driven_start() {
  const Json spec = parse_json("model", R"({"seed": 1, "layers": [
      {"class": "Input", "shape": [20]},
      {"class": "Dense", "units": 33, "activation": "relu", "kernel_initializer": "unit_variance"},
      {"class": "Dense", "units": 3, "activation": "softmax"}]})");
  const Table table;
  const std::shared_ptr<Model> by_fit = Model::create(spec), by_hand = Model::create(spec);
  const std::string drawn = fingerprint(*by_fit);
  CHECK(by_fit->awaits_data() && by_hand->awaits_data());
  by_hand->initialize_from(table.data.inputs, 3);
  const auto trainer = make_trainer(by_fit, R"("adam")");
  for (int fit = 0; fit < 2; ++fit) {
    trainer->begin_fit(table.data, {100, 1, true, 1, true, {}});
    CHECK(!by_fit->awaits_data());
    CHECK(fingerprint(*by_fit) == fingerprint(*by_hand));
    trainer->end_fit();
  }
  CHECK(fingerprint(*by_fit) != drawn);
}

}  // namespace

namespace {

Data window_of(const Table& table, Range rows) {
  Data out;
  out.inputs = {{table.x.data() + rows.begin * kColumns, DType::float32, rows.size(), kColumns,
                 4 * kColumns, 4}};
  out.targets = {{table.y.data() + rows.begin, DType::float32, rows.size(), 1, 4, 4}};
  out.window = true;
  return out;
}

// Two epochs in windows of whole batches, in order: nothing is allocated in the later ones, and the
// bits are those of all rows at once. So are an evaluation's.
void check_windows() {
  const Table table;
  const std::shared_ptr<Model> model = Model::create(parse_json("model", kModel)),
                               other = Model::create(parse_json("model", kModel));
  const auto trainer = make_trainer(model, R"("adam")"), whole = make_trainer(other, R"("adam")");
  const FitOptions options{100, 2, false, 2, true, {.exact_threads = true}};
  constexpr Index kWindow = 300;
  Monitor nobody;
  long allocated = 0;
  trainer->begin_fit(window_of(table, {0, kWindow}), options);
  whole->begin_fit(table.data, options);
  for (int epoch = 0; epoch < 2; ++epoch) {
    for (Index r = 0; r < kRows; r += kWindow) {
      const Range rows{r, std::min(kRows, r + kWindow)};
      if (epoch > 0 || r > 0) trainer->next_window(window_of(table, rows));
      const long of_window =
          allocations_of([&] { CHECK(trainer->run_window(nobody).end == EpochEnd::complete); });
      if (r > 0) allocated += of_window;  // an epoch's first step makes room for its sums
    }
    CHECK(trainer->finish_epoch().means == whole->run_epoch(nobody).means);
  }
  trainer->end_fit();
  whole->end_fit();
  CHECK(allocated == 0);
  CHECK(fingerprint(*model) == fingerprint(*other));
  Sums sums;
  for (Index r = 0; r < kRows; r += 304)
    trainer->evaluate(window_of(table, {r, std::min(kRows, r + 304)}), 64, 2, {}, {}, false, &sums);
  CHECK(sums.means(trainer->objective()) == whole->evaluate(table.data, 256, 1, {}));
}

}  // namespace

int main() {
  check_windows();
  check_shares_of_columns();
  check_data_driven_start();
  check_allocations_of_evaluations();
  check_evaluations_of_all_shapes();
  check_watched_steps();
  for (const bool codes : {false, true}) {
    for (const char* optimizer :
         {R"("adam")", R"({"class": "Nesterov", "learning_rate": 0.05, "global_clipnorm": 0.5})"}) {
      const Outcome one = train(1, optimizer, codes);
      CHECK(one.last_loss < 0.6 * one.first_loss);
      std::printf("%s%s: loss %.4f -> %.4f, %ld allocations in steps\n", optimizer,
                  codes ? ", codes" : "", one.first_loss, one.last_loss, one.allocations_in_steps);
      CHECK(one.allocations_in_steps == 0);
      for (const int threads : {2, 3, 5})
        CHECK(train(threads, optimizer, codes).fingerprint == one.fingerprint);
    }
  }
  return 0;
}
