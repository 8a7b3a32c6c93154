// lamina/predict.hpp: a model from a file, of several inputs and in double, answers with the bits
// of the frozen model; what does not fit is refused. (tests/test_serving_docs.py compares with
// Python.)
#include "lamina/predict.hpp"

#include <cstdio>
#include <stdexcept>
#include <thread>

#include "check.hpp"
#include "lamina/io/model_file.hpp"
#include "lamina/nn/frozen_model.hpp"

using namespace lamina;

namespace {

constexpr Index kRows = 50;

const char* kModel = R"({"seed": 1, "dtype": "float64", "layers": [
  {"class": "Parallel", "layers": [
    [{"class": "Input", "shape": [3], "name": "numbers"}, {"class": "BatchNormalization"}],
    [{"class": "Input", "shape": [2], "kind": "codes", "cardinalities": [5, 4], "name": "codes"},
     {"class": "Embedding", "output_dim": 2}]]},
  {"class": "Dense", "units": 40, "activation": "tanh"},
  {"class": "BatchNormalization"},
  {"class": "Dense", "units": 2}]})";

// Where a saved model lies while this lives.
struct File {
  explicit File(Model& model) { save_model(path, model, ""); }
  ~File() { std::remove(path.c_str()); }
  const std::string path = "test_predict_" LAMINA_LEVEL_NAME ".lamina";
};

template <class Error, class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& message, const char* part) {
  return message.find(part) != std::string::npos;
}

void several_inputs_in_double() {
  const auto model = Model::create(Json::parse(kModel));
  const File file(*model);
  const Predictor predictor = Predictor::load(file.path);
  CHECK(predictor.inputs().size() == 2 && predictor.inputs()[1].codes);
  CHECK(predictor.inputs()[0].name == "numbers" && predictor.inputs()[0].columns == 3);
  CHECK(predictor.outputs().size() == 1 && predictor.outputs()[0].columns == 2);

  std::vector<double> x(kRows * 3), y(kRows * 2), want(kRows * 2);
  std::vector<std::int32_t> codes(kRows * 2);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<double>(i * 37 % 101) / 50 - 1;
  for (std::size_t i = 0; i < codes.size(); ++i) codes[i] = static_cast<std::int32_t>(i * 7 % 4);
  ArrayView numbers{x.data(), DType::float64, kRows, 3, 24, 8};
  ArrayView categories{codes.data(), DType::int32, kRows, 2, 8, 4};
  FrozenModel::freeze(*model)->predict({numbers, categories}, {want.data()}, {});
  predictor.predict({x.data(), codes.data()}, kRows, std::vector<double*>{y.data()});
  CHECK(y == want);

  std::vector<std::thread> threads;  // a row each, all with one Predictor
  std::vector<double> alone(y.size());
  for (std::size_t t = 0; t < 2; ++t)
    threads.emplace_back([&, t] {
      for (std::size_t r = t; r < kRows; r += 2)
        predictor.predict({&x[3 * r], &codes[2 * r]}, 1, std::vector<double*>{&alone[2 * r]}, 1);
    });
  for (auto& thread : threads) thread.join();
  CHECK(alone == want);

  using Bad = std::invalid_argument;
  float narrow[2];
  CHECK(says(refusal<Bad>([&] {
               predictor.predict({x.data(), codes.data()}, 1, std::vector<float*>{narrow});
             }),
             "the model computes in float64"));
  const std::vector<double*> out = {y.data()};
  CHECK(says(refusal<Bad>([&] { predictor.predict({x.data()}, 1, out); }), "has 2 inputs, got 1"));
  CHECK(says(
      refusal<Bad>([&] { predictor.predict({x.data(), codes.data()}, 1, std::vector<double*>{}); }),
      "has 1 outputs, got 0"));
  CHECK(says(refusal<Bad>([&] {
               predictor.predict({x.data(), codes.data()}, 1, std::vector<double*>{nullptr});
             }),
             "an output is a null pointer"));
  CHECK(says(refusal<Bad>([&] {
               const double* none = nullptr;
               predictor.predict({none, codes.data()}, 1, out);
             }),
             "an input is a null pointer"));
  codes[1] = 4;
  CHECK(says(refusal<Bad>([&] { predictor.predict({x.data(), codes.data()}, 1, out); }),
             "is not a whole number in 0 ... 3"));
  predictor.predict({x.data(), codes.data()}, 0, out);  // no rows: nothing to do
}

void files() {
  CHECK(says(refusal<std::runtime_error>([] { Predictor::load("missing.lamina"); }),
             "cannot read missing.lamina"));
  const auto model = Model::create(Json::parse(
      R"({"seed": 1, "layers": [{"class": "Input", "shape": [2]}, {"class": "Normalization"},
          {"class": "Dense", "units": 1}]})"));
  const File file(*model);
  CHECK(says(refusal<std::runtime_error>([&] { Predictor::load(file.path); }),
             "has not seen data yet"));
  std::FILE* text = std::fopen(file.path.c_str(), "w");
  std::fputs("not a model at all", text);
  std::fclose(text);
  CHECK(says(refusal<std::invalid_argument>([&] { Predictor::load(file.path); }),
             "not a Lamina file"));
}

}  // namespace

int main() {
  several_inputs_in_double();
  files();
  std::puts("predict: ok");
}
