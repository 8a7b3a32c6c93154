// Sparse rows from C++: the bits of the same rows written out, for any number of threads, and a
// step allocates nothing after the first, however long its rows.
#include <cmath>
#include <vector>

#include "allocations.hpp"
#include "check.hpp"
#include "lamina/base/sparse.hpp"
#include "lamina/train/trainer.hpp"

using namespace lamina;

namespace {

constexpr Index kRows = 700, kColumns = 900;

// Rows of 0 to 60 entries, in both forms.
struct Table {
  std::vector<std::int64_t> starts = {0};
  std::vector<std::int32_t> places;
  std::vector<double> values;
  std::vector<float> written_out = std::vector<float>(kRows * kColumns), y;
  Table() {
    for (Index r = 0; r < kRows; ++r) {
      const Index count = r * r % 61;
      for (Index i = 0; i < count; ++i) {
        const Index column = i * 15 + (r * 7 + i) % 15;
        places.push_back(static_cast<std::int32_t>(column));
        values.push_back(std::sin(static_cast<double>(r * 31 + i)));
        written_out[r * kColumns + column] = static_cast<float>(values.back());
      }
      starts.push_back(static_cast<std::int64_t>(places.size()));
      y.push_back(static_cast<float>(r % 3));
    }
  }
  ArrayView sparse() const {
    ArrayView v;
    v.data = values.data();
    v.dtype = DType::float64;
    v.rows = kRows;
    v.columns = kColumns;
    v.column_stride = sizeof(double);
    v.row_starts = starts.data();
    v.wide_starts = true;
    v.places = places.data();
    v.entries = static_cast<Index>(places.size());
    return v;
  }
  ArrayView dense() const {
    return {written_out.data(), DType::float32, kRows, kColumns, 4 * kColumns, 4};
  }
  Data data(const ArrayView& x) const {
    Data out;
    out.inputs = {x};
    out.targets = {{y.data(), DType::float32, kRows, 1, 4, 4}};
    return out;
  }
};

struct Outcome {
  std::vector<float> weights;
  long allocations_in_steps = 0;
};

Outcome train(const Table& table, const ArrayView& x, const char* kind, int threads) {
  Json spec = parse_json("model", R"({"seed": 1, "layers": [
      {"class": "Input", "shape": [900]}, {"class": "Dense", "units": 40, "activation": "relu"},
      {"class": "Dense", "units": 3, "activation": "softmax"}]})");
  spec["layers"][0]["kind"] = kind;
  const std::shared_ptr<Model> model = Model::create(spec);
  const auto trainer =
      Trainer::create(model, std::make_shared<Optimizer>(parse_json("optimizer", R"("adam")")),
                      {{parse_json("loss", R"("cce")")}}, 7);
  trainer->begin_fit(table.data(x), {100, 4, true, threads, true, {.exact_threads = true}});
  Outcome out;
  long before = 0;
  Monitor monitor;
  monitor.on_batch = [&](std::uint64_t step, const Sums&) {
    if (step % 7 == 1)
      before = allocations;  // after an epoch's first step
    else if (step % 7 == 0)
      out.allocations_in_steps += allocations - before;
    return true;
  };
  for (int epoch = 0; epoch < 4; ++epoch)
    CHECK(trainer->run_epoch(monitor).end == EpochEnd::complete);
  trainer->end_fit();
  const auto* weights = static_cast<const float*>(model->parameters());
  out.weights.assign(weights, weights + model->graph().parameters.size);
  return out;
}

}  // namespace

int main() {
  const Table table;
  check_sparse("x", table.sparse());
  CHECK(most_entries(table.sparse(), 1) == 60);
  CHECK(most_entries(table.sparse(), kRows) == static_cast<Index>(table.places.size()));
  const Outcome dense = train(table, table.dense(), "numeric", 1);
  for (const int threads : {1, 2, 3, 5}) {
    const Outcome sparse = train(table, table.sparse(), "sparse", threads);
    CHECK(sparse.weights == dense.weights);
    CHECK(sparse.allocations_in_steps == 0);
    CHECK(train(table, table.sparse(), "numeric", threads).weights == dense.weights);
    CHECK(train(table, table.dense(), "sparse", threads).weights == dense.weights);
  }
  return 0;
}
