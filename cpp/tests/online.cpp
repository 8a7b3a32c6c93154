// One row and one batch at a time: nothing is allocated after the first call, a loop over batches
// is a fit, and predictions of other threads see the weights between two steps.
#include <atomic>
#include <cmath>
#include <set>
#include <thread>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "lamina/io/model_file.hpp"
#include "lamina/nn/frozen_model.hpp"
#include "lamina/train/trainer.hpp"

using namespace lamina;

namespace {

constexpr Index kRows = 200, kColumns = 4, kBatch = 32;

const char* kModel = R"({"seed": 1, "layers": [
  {"class": "Input", "shape": [4]},
  {"class": "Dense", "units": 64, "activation": "relu", "kernel_regularizer": {"class": "L2", "l2": 1e-4}},
  {"class": "BatchNormalization"},
  {"class": "Dropout", "rate": 0.1},
  {"class": "Dense", "units": 64, "activation": "tanh"},
  {"class": "Dense", "units": 3, "activation": "softmax"}]})";

const char* kCodesModel = R"({"seed": 1, "layers": [
  {"class": "Parallel", "layers": [
    [{"class": "Input", "shape": [4]}],
    [{"class": "Input", "shape": [2], "kind": "codes", "cardinalities": [9, 300]},
     {"class": "Parallel", "layers": [{"class": "Embedding", "output_dim": [3, 16]},
                                      {"class": "OneHot", "missing": "column"}]}]]},
  {"class": "Dense", "units": 24, "activation": "tanh"},
  {"class": "Dense", "units": 3, "activation": "softmax"}]})";

const char* kOptimizers[] = {
    R"("adam")", R"({"class": "Nesterov", "learning_rate": 0.05, "global_clipnorm": 0.5})",
    R"({"class": "Adam", "use_ema": true, "weight_decay": 0.01})",
    R"({"class": "SGD", "gradient_accumulation_steps": 3})"};

struct Table {
  std::vector<double> x = std::vector<double>(kRows * kColumns);
  std::vector<std::int64_t> y = std::vector<std::int64_t>(kRows);
  std::vector<float> weights = std::vector<float>(kRows, 0.5f);
  std::vector<std::int32_t> codes = std::vector<std::int32_t>(kRows * 2);
  bool with_codes;
  explicit Table(bool codes_too = false) : with_codes(codes_too) {
    for (Index i = 0; i < kRows * kColumns; ++i) x[i] = std::sin(0.7 * static_cast<double>(i * i));
    for (Index r = 0; r < kRows; ++r) {
      y[r] = x[r * kColumns] > 0.5 ? 0 : x[r * kColumns + 1] > 0 ? 1 : 2;
      codes[r * 2] = static_cast<std::int32_t>(r % 9);
      codes[r * 2 + 1] = static_cast<std::int32_t>(r * 7 % 300);
    }
  }
  // Points `data` at these rows.
  void show(Index first, Index rows, Data& data) const {
    data.inputs.resize(with_codes ? 2 : 1);
    data.targets.resize(1);
    data.inputs[0] = {&x[first * kColumns], DType::float64, rows, kColumns, 8 * kColumns, 8};
    if (with_codes) data.inputs[1] = {&codes[first * 2], DType::int32, rows, 2, 8, 4};
    data.targets[0] = {&y[first], DType::int64, rows, 1, 8, 8};
    data.weights = {&weights[first], DType::float32, rows, 1, 4, 4};
  }
};

std::unique_ptr<Trainer> make_trainer(bool codes, const char* optimizer) {
  const std::shared_ptr<Model> model =
      Model::create(parse_json("model", codes ? kCodesModel : kModel));
  return Trainer::create(
      model, std::make_shared<Optimizer>(parse_json("optimizer", optimizer)),
      {{parse_json("loss", R"("cce")"), parse_json("metrics", R"(["accuracy"])")}}, 7);
}

std::string fitted(bool codes, const char* optimizer) {
  const Table table(codes);
  const auto trainer = make_trainer(codes, optimizer);
  Data data;
  table.show(0, kRows, data);
  trainer->begin_fit(data, {kBatch, 2, false, 1, true, {}});
  Monitor nobody;
  for (int epoch = 0; epoch < 2; ++epoch)
    CHECK(trainer->run_epoch(nobody).end == EpochEnd::complete);
  trainer->end_fit();
  return fingerprint(*trainer->model);
}

void check_batches(bool codes, const char* optimizer, int threads) {
  const Table table(codes);
  const auto trainer = make_trainer(codes, optimizer);
  OnlineOptions options{threads, {}, nullptr};
  options.scheduling.exact_threads = true;
  Data data;
  long steps = 0, allocated = 0;
  for (int epoch = 0; epoch < 2; ++epoch)
    for (Index first = 0; first < kRows; first += kBatch) {
      table.show(first, std::min(kBatch, kRows - first), data);
      const long now = allocations_of([&] {
        const std::vector<double>& means = trainer->train_on_batch(data, options);
        CHECK(means.size() == 2 && std::isfinite(means[0]));
      });
      // The first update makes room, the third batch's where three are accumulated.
      if (static_cast<std::uint64_t>(steps++) >= trainer->optimizer->settings.accumulation)
        allocated += now;
    }
  std::printf("%s%s, %d threads: %ld allocations in %ld steps behind the first\n", optimizer,
              codes ? ", codes" : "", threads, allocated, steps - 1);
  CHECK(allocated == 0);
  CHECK(fingerprint(*trainer->model) == fitted(codes, optimizer));
}

// predict(inputs, out) of one row, again and again.
template <class Predict>
void check_rows(bool codes, const char* what, Predict&& predict) {
  const Table table(codes);
  Data data;
  std::vector<float> y(3);
  const std::vector<void*> out = {y.data()};
  long allocated = 0;
  for (Index r = 0; r < 20; ++r) {
    table.show(r, 1, data);
    const long now = allocations_of([&] { predict(data.inputs, out, PredictOptions{1, 1}); });
    if (r > 0) allocated += now;
  }
  std::printf("%s%s: %ld allocations in 19 rows\n", what, codes ? ", codes" : "", allocated);
  CHECK(allocated == 0);
}

// Each answer is one of the weights between two steps.
void check_readers() {
  const Table table;
  const auto trainer = make_trainer(false, R"("adam")");
  const Model& model = *trainer->model;
  using Answer = std::array<float, 3>;
  const auto answer = [&] {
    Data data;
    table.show(5, 1, data);
    Answer y;
    model.predict(data.inputs, {y.data()}, {1, 1});
    return y;
  };
  std::atomic<bool> done{false};
  std::set<Answer> between = {answer()};
  std::vector<std::vector<Answer>> seen(3);
  std::vector<std::thread> readers;
  for (auto& mine : seen)
    readers.emplace_back([&] {
      while (!done) mine.push_back(answer());
    });
  Data data;
  for (int step = 0; step < 300; ++step) {
    table.show(step % 100, kBatch, data);
    trainer->train_on_batch(data, {1, {}, nullptr});
    between.insert(answer());
  }
  done = true;
  for (std::thread& reader : readers) reader.join();
  for (const auto& mine : seen)
    for (const Answer& y : mine) CHECK(between.count(y) == 1);
}

}  // namespace

int main() {
  for (const bool codes : {false, true}) {
    for (const char* optimizer : kOptimizers)
      for (const int threads : {1, 2, 3}) check_batches(codes, optimizer, threads);
    const auto model = make_trainer(codes, R"("adam")")->model;
    const auto frozen = FrozenModel::freeze(*model);
    check_rows(codes, "model", [&](auto&&... given) { model->predict(given...); });
    check_rows(codes, "predictor", [&](auto&&... given) { frozen->predict(given...); });
  }
  check_readers();
  return 0;
}
