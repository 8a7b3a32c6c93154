// Somebody writes into the arrays of a fit that runs, behind its check: nothing outside of them is
// read or written (for AddressSanitizer), and what is no class or no code any more counts as 0.
#include <cmath>
#include <limits>
#include <vector>

#include "check.hpp"
#include "lamina/io/model_file.hpp"
#include "lamina/train/trainer.hpp"

using namespace lamina;

namespace {

constexpr Index kRows = 96, kColumns = 40, kClasses = 5, kEntries = 3;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// A data set of every kind that a place in memory is computed from.
struct Arrays {
  std::vector<float> x = std::vector<float>(kRows * kColumns), weights = std::vector<float>(kRows);
  std::vector<double> labels = std::vector<double>(kRows);
  std::vector<std::int32_t> codes = std::vector<std::int32_t>(kRows * 2);
  std::vector<std::int64_t> starts = {0};
  std::vector<std::int32_t> places;
  std::vector<float> values;

  Arrays() {
    for (std::size_t i = 0; i < x.size(); ++i)
      x[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i)));
    for (Index r = 0; r < kRows; ++r) {
      const auto i = static_cast<std::size_t>(r);
      labels[i] = static_cast<double>(r % kClasses);
      weights[i] = 1;
      codes[2 * i] = static_cast<std::int32_t>(r % 7);
      codes[2 * i + 1] = static_cast<std::int32_t>(r % 3);
      for (Index k = 0; k < kEntries; ++k) {
        places.push_back(static_cast<std::int32_t>((r + 11 * k) % 7 + 13 * k));
        values.push_back(1);
      }
      starts.push_back(static_cast<std::int64_t>(places.size()));
    }
  }

  ArrayView numeric() const { return {x.data(), DType::float32, kRows, kColumns, 4 * kColumns, 4}; }
  ArrayView coded() const { return {codes.data(), DType::int32, kRows, 2, 8, 4}; }
  ArrayView sparse() const {
    ArrayView v{values.data(), DType::float32, kRows, kColumns, 0, 4};
    v.row_starts = starts.data();
    v.wide_starts = true;
    v.places = places.data();
    v.entries = static_cast<Index>(places.size());
    return v;
  }
  Data data(const ArrayView& input) const {
    Data out;
    out.inputs = {input};
    out.targets = {{labels.data(), DType::float64, kRows, 1, 8, 8}};
    out.weights = {weights.data(), DType::float32, kRows, 1, 4, 4};
    return out;
  }
};

std::string model_of(const char* input) {
  return std::string(R"({"seed": 1, "layers": [)") + input +
         R"(, {"class": "Dense", "units": 8, "activation": "tanh"}, {"class": "Dense", "units": 5,
             "activation": "softmax"}]})";
}
const char* const kNumeric = R"({"class": "Input", "shape": [40]})";
const char* const kSparse = R"({"class": "Input", "shape": [40], "kind": "sparse"})";
const char* const kEmbedded =
    R"({"class": "Input", "shape": [2], "kind": "codes", "cardinalities": [7, 3]},
       {"class": "Embedding", "output_dim": 4})";
const char* const kOneHot =
    R"({"class": "Input", "shape": [2], "kind": "codes", "cardinalities": [7, 3]},
       {"class": "OneHot"})";

std::unique_ptr<Trainer> make_trainer(const std::string& model, const char* loss) {
  HeadSpec head{parse_json("loss", loss)};
  head.metrics = parse_json(
      "metrics", R"(["accuracy", {"class": "TopKAccuracy", "k": 2}, "log_loss", "brier_score"])");
  return Trainer::create(
      Model::create(parse_json("model", model)),
      std::make_shared<Optimizer>(parse_json("optimizer", R"({"class": "Adam"})")), {head}, 7);
}

// Two epochs, with a change after the third step and after the check; returns the weights' mark.
template <class F>
std::string fit(Trainer& trainer, const Data& data, int threads, F&& change) {
  Monitor monitor;
  monitor.on_batch = [&](std::uint64_t step, const Sums&) {
    if (step == 3) change();
    return true;
  };
  trainer.begin_fit(data, {16, 2, true, threads, true, {.exact_threads = true}});
  for (int epoch = 0; epoch < 2; ++epoch)
    if (trainer.run_epoch(monitor).end != EpochEnd::complete) break;
  trainer.end_fit();
  for (Index i = 0; i < trainer.model->graph().parameters.size; ++i)
    CHECK(std::isfinite(static_cast<const float*>(trainer.model->parameters())[i]));
  return fingerprint(*trainer.model);
}

// The same after a change as after one to zeros.
template <class View, class F, class G>
void same_as_zeros(const char* input, const char* loss, View&& view, F&& change, G&& to_zeros) {
  for (const int threads : {1, 2}) {
    Arrays changed, zeros;
    const std::string outcome = fit(*make_trainer(model_of(input), loss),
                                    changed.data(view(changed)), threads, [&] { change(changed); });
    CHECK(outcome == fit(*make_trainer(model_of(input), loss), zeros.data(view(zeros)), threads,
                         [&] { to_zeros(zeros); }));
  }
}

void labels_become_numbers_that_are_no_class() {
  for (const char* loss : {R"("cce")", R"({"class": "CategoricalCrossentropy",
                                           "label_smoothing": 0.1})",
                           R"("categorical_focal_crossentropy")"})
    for (const double label : {5.0, 1e6, -1.0, -2147483648.0})
      same_as_zeros(
          kNumeric, loss, [](const Arrays& a) { return a.numeric(); },
          [&](Arrays& a) { a.labels.assign(kRows, label); },
          [](Arrays& a) { a.labels.assign(kRows, 0); });
}

void codes_become_numbers_that_are_no_code() {
  for (const char* input : {kEmbedded, kOneHot})
    for (const std::int32_t code : {7, 1 << 30, -1, std::numeric_limits<std::int32_t>::min()})
      same_as_zeros(
          input, R"("cce")", [](const Arrays& a) { return a.coded(); },
          [&](Arrays& a) { a.codes.assign(2 * kRows, code); },
          [](Arrays& a) { a.codes.assign(2 * kRows, 0); });
}

template <class F>
void survives(const char* input, F&& view, const std::function<void(Arrays&)>& change) {
  for (const int threads : {1, 2}) {
    Arrays a;
    try {
      fit(*make_trainer(model_of(input), R"("cce")"), a.data(view(a)), threads, [&] { change(a); });
    } catch (const std::invalid_argument&) {  // such as: all weights are 0
    }
  }
}

void rows_of_sparse_matrices_become_nonsense() {
  const auto sparse = [](const Arrays& a) { return a.sparse(); };
  for (const char* input : {kSparse, kNumeric}) {
    for (const std::int32_t place : {40, 1 << 30, -1})
      survives(input, sparse, [=](Arrays& a) { a.places.assign(a.places.size(), place); });
    survives(input, sparse, [](Arrays& a) {
      for (std::size_t i = 0; i < a.places.size(); ++i)
        a.places[i] = 39 - static_cast<std::int32_t>(i % 40);
    });
    for (const std::int64_t start :
         {std::int64_t{-1}, std::int64_t{1} << 40, std::int64_t{kRows * kEntries}})
      survives(input, sparse, [=](Arrays& a) { a.starts.assign(a.starts.size(), start); });
    survives(input, sparse, [](Arrays& a) {  // each row has all entries, or none
      for (std::size_t i = 0; i < a.starts.size(); ++i) a.starts[i] = i % 2 ? kRows * kEntries : 0;
    });
  }
}

void numbers_become_nan() {
  const auto numeric = [](const Arrays& a) { return a.numeric(); };
  survives(kNumeric, numeric, [](Arrays& a) { a.x.assign(a.x.size(), kNaN); });
  for (const float weight : {kNaN, -1.0f, 0.0f, std::numeric_limits<float>::infinity(), 1e38f})
    survives(kNumeric, numeric, [=](Arrays& a) { a.weights.assign(kRows, weight); });
}

void labels_change_while_they_are_measured() {
  Arrays a;
  const auto trainer = make_trainer(model_of(kNumeric), R"("categorical_focal_crossentropy")");
  for (const double label : {-1.0, 1e6}) {
    a.labels.assign(kRows, 1);
    trainer->evaluate(a.data(a.numeric()), 16, 1, [&](Index) { a.labels.assign(kRows, label); });
  }
}

}  // namespace

int main() {
  labels_become_numbers_that_are_no_class();
  codes_become_numbers_that_are_no_code();
  rows_of_sparse_matrices_become_nonsense();
  numbers_become_nan();
  labels_change_while_they_are_measured();
  return 0;
}
