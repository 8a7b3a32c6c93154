// lamina/predict.hpp as a server uses it: the model's own bits, from eight threads at once, without
// an allocation; what does not fit is refused, and a damaged file never gives another model.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "allocations.hpp"
#include "check.hpp"
#include "lamina/io/model_file.hpp"
#include "lamina/predict.hpp"

using namespace lamina;

namespace {

constexpr std::size_t kRows = 1000, kThreads = 8;
const std::string kPath = "test_serving_" LAMINA_LEVEL_NAME ".lamina";

const char* kPlain = R"({"seed": 1, "layers": [
  {"class": "Input", "shape": [20]}, {"class": "Dense", "units": 64, "activation": "relu"},
  {"class": "Dropout", "rate": 0.5}, {"class": "Dense", "units": 3, "activation": "softmax"}]})";
const char* kNormalized = R"({"seed": 2, "dtype": "float64", "layers": [
  {"class": "Input", "shape": [20]}, {"class": "BatchNormalization"},
  {"class": "Dense", "units": 300}, {"class": "BatchNormalization"},
  {"class": "Activation", "activation": "gelu"}, {"class": "LayerNormalization"},
  {"class": "Dense", "units": 2}]})";
const char* kTwoInputs = R"({"seed": 1, "layers": [
  {"class": "Parallel", "layers": [
    [{"class": "Input", "shape": [3], "name": "numbers"}],
    [{"class": "Input", "shape": [2], "kind": "codes", "cardinalities": [5, 4], "name": "codes"},
     {"class": "Embedding", "output_dim": 2}]]},
  {"class": "Dense", "units": 4}]})";
const char* kSmall = R"({"seed": 1, "layers": [
  {"class": "Input", "shape": [2]}, {"class": "Dense", "units": 1}]})";

struct File {
  explicit File(Model& model) { save_model(kPath, model, ""); }
  ~File() { std::remove(kPath.c_str()); }
};

void write(const std::string& bytes) {
  std::ofstream(kPath, std::ios::binary | std::ios::trunc) << bytes;
}

template <class F>
std::string refusal(F&& f) {
  try {
    f();
  } catch (const std::invalid_argument& error) {
    return error.what();
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

bool says(const std::string& message, const std::string& part) {
  const bool found = message.find(part) != std::string::npos;
  if (!found) std::fprintf(stderr, "'%s' is not in '%s'\n", part.c_str(), message.c_str());
  return found;
}

// Statistics that are none of those a layer begins with.
template <class T>
void settle(Model& model) {
  auto* weights = static_cast<T*>(model.parameters());
  for (const Tensor& t : model.graph().parameters.tensors)
    for (Index i = 0; i < t.size; ++i)
      weights[t.offset + i] += static_cast<T>(0.1 + 0.05 * std::abs(std::sin(double(i))));
}

template <class T>
std::vector<T> numbers(std::size_t n) {
  std::vector<T> x(n);
  for (std::size_t i = 0; i < n; ++i) x[i] = static_cast<T>(std::sin(0.7 * double(i)));
  return x;
}

// One row at a time, and all rows, again and again.
template <class T>
void ask(const Predictor& predictor, std::span<const T> x, std::span<T> y, std::size_t turn) {
  const std::size_t in = predictor.input_size(), out = predictor.output_size();
  for (std::size_t i = 0; i < 40; ++i) {
    const std::size_t row = (i * kThreads + turn) % kRows;
    if (i % 8 == turn) {
      predictor.predict(x, y);
    } else {
      predictor.predict(x.subspan(row * in, in), y.subspan(row * out, out));
    }
  }
}

template <class T>
void same_bits_without_allocation(const char* spec) {
  const auto model = Model::create(Json::parse(spec));
  settle<T>(*model);
  const File file(*model);
  const Predictor predictor = Predictor::load(kPath, {.fold = false, .calls = kThreads});
  const std::size_t in = predictor.input_size(), out = predictor.output_size();
  CHECK(predictor.is_double() == (sizeof(T) == 8));
  const std::vector<T> x = numbers<T>(kRows * in);
  std::vector<T> want(kRows * out);
  ArrayView view{x.data(),
                 sizeof(T) == 8 ? DType::float64 : DType::float32,
                 kRows,
                 Index(in),
                 Index(in * sizeof(T)),
                 sizeof(T)};
  model->predict({view}, {want.data()}, {});

  std::vector<T> y(kRows * out);
  const long before = allocations;
  predictor.predict(std::span<const T>(x).first(in), std::span(y).first(out));
  predictor.predict(std::span<const T>(x).first(5 * in), std::span(y).first(5 * out));
  predictor.predict(std::span<const T>(x), std::span(y));
  CHECK(allocations == before);
  CHECK(y == want);

  std::vector<std::vector<T>> answers(kThreads, std::vector<T>(kRows * out));
  std::atomic<std::size_t> ready{0}, done{0};
  std::atomic<bool> go{false}, leave{false};
  std::vector<std::thread> team;
  team.reserve(kThreads);
  for (std::size_t t = 0; t < kThreads; ++t)
    team.emplace_back([&, t] {
      ++ready;
      while (!go) std::this_thread::yield();
      ask<T>(predictor, x, answers[t], t);
      ++done;
      while (!leave) std::this_thread::yield();
    });
  while (ready < kThreads) std::this_thread::yield();
  const long begin = allocations;
  go = true;
  while (done < kThreads) std::this_thread::yield();
  CHECK(allocations == begin);
  leave = true;
  for (auto& thread : team) thread.join();
  for (const auto& answer : answers) CHECK(answer == want);
}

void more_calls_than_were_announced() {
  const auto model = Model::create(Json::parse(kPlain));
  const File file(*model);
  const Predictor predictor = Predictor::load(kPath);
  const std::vector<float> x = numbers<float>(kRows * 20);
  std::vector<float> want(kRows * 3);
  predictor.predict(x, want);
  std::vector<std::vector<float>> answers(40, std::vector<float>(want.size()));
  std::vector<std::thread> team;
  team.reserve(answers.size());
  for (auto& answer : answers) team.emplace_back([&] { predictor.predict(x, answer); });
  for (auto& thread : team) thread.join();
  for (const auto& answer : answers) CHECK(answer == want);
}

void sizes_and_types() {
  const auto model = Model::create(Json::parse(kPlain));
  const File file(*model);
  const Predictor predictor = Predictor::load(kPath);
  CHECK(predictor.input_size() == 20 && predictor.output_size() == 3);
  std::vector<float> x(40), y(6);
  std::vector<double> wide(20), wide_out(3);
  predictor.predict(x, y);
  predictor.predict(std::span<const float>(), std::span<float>());
  CHECK(says(refusal([&] { predictor.predict(std::span(x).first(39), y); }),
             "expected whole rows of 20 numbers in x ('input'), got 39"));
  CHECK(says(refusal([&] { predictor.predict(x, std::span(y).first(5)); }),
             "expected room for 2 rows of 3 numbers in y ('dense_1'), 6, got 5"));
  CHECK(says(refusal([&] { predictor.predict(wide, wide_out); }), "computes in float32"));
  CHECK(says(refusal([&] { predictor.predict_one({1, 2}); }), "expected 20 columns, got 2"));
  CHECK(says(refusal([&] { Predictor::load(kPath, {.calls = -1}); }), "calls must be at least 0"));
}

void several_inputs_by_the_call_for_one() {
  const auto model = Model::create(Json::parse(kTwoInputs));
  const File file(*model);
  const Predictor predictor = Predictor::load(kPath);
  std::vector<float> x(3), y(4);
  for (const std::string& said :
       {refusal([&] { predictor.predict(x, y); }), refusal([&] { (void)predictor.input_size(); })})
    CHECK(says(said, "for models of one input and one output, this one has 2 and 1"));
}

// The file with something changed and its checksum made anew.
template <class F>
std::string changed(Model& model, F&& change) {
  const std::string bytes = encode_model(model, "");
  TensorFile file = decode("", bytes);
  file.metadata.erase("sha256");
  change(file);
  return encode(file);
}

void what_is_wrong_with_a_file() {
  const auto model = Model::create(Json::parse(kSmall));
  const File file(*model);
  const auto said = [&](auto&& change) {
    write(changed(*model, change));
    std::string message = refusal([] { Predictor::load(kPath); });
    CHECK(message.starts_with(kPath + ": "));
    return message;
  };
  using F = TensorFile;
  CHECK(says(said([](F& f) { f.metadata["format_version"] = "2"; }),
             "written by a newer Lamina (format_version 2, this one reads up to 1)"));
  CHECK(says(said([](F& f) { f.metadata["format_version"] = "x"; }), "'format_version' is not a"));
  CHECK(says(said([](F& f) { f.metadata["format"] = "lamina-state"; }), "expected a lamina-model"));
  CHECK(says(said([](F& f) { f.metadata.erase("format"); }), "the file's 'format' is missing"));
  CHECK(says(said([](F& f) { f.metadata.erase("spec"); }), "the file's 'spec' is missing"));
  CHECK(says(said([](F& f) { f.metadata["spec"] = "{"; }), "its spec is not valid JSON"));
  CHECK(says(said([](F& f) { f.metadata["spec"] = R"({"seed": 1, "layers": [{"class": 3}]})"; }),
             "its spec is not a model's"));
  CHECK(
      says(said([](F& f) { f.metadata["spec"] = R"({"layers": []})"; }), "its spec: Model: seed"));
  CHECK(says(said([](F& f) { f.tensors.pop_back(); }), "has no tensor 'dense/bias'"));
  CHECK(says(said([](F& f) { f.tensors[0].shape = {1, 2}; }),
             "tensor 'dense/kernel' is F32 (1, 2), expected F32 (2, 1)"));
  write("");
  CHECK(says(refusal([] { Predictor::load(kPath); }), "not a Lamina file (too short)"));
  write("a text of some length, which is no model");
  CHECK(says(refusal([] { Predictor::load(kPath); }), "not a Lamina file"));
}

// Cut anywhere, or with any byte changed, a file is refused or is the same model.
void damaged_files() {
  const auto model = Model::create(Json::parse(kSmall));
  const File file(*model);
  const std::string good = encode_model(*model, "");
  const std::vector<float> x = {0.25f, -3};
  const std::vector<float> want = Predictor::load(kPath).predict_one(x);
  std::size_t refused = 0;
  const auto check = [&](const std::string& bytes) {
    write(bytes);
    std::vector<float> y = want;
    const std::string message = refusal([&] { y = Predictor::load(kPath).predict_one(x); });
    CHECK(message.empty() || message.starts_with(kPath + ": "));
    CHECK(y == want);
    refused += !message.empty();
  };
  for (std::size_t n = 0; n < good.size(); ++n) check(good.substr(0, n));
  CHECK(refused == good.size());
  refused = 0;
  std::size_t tried = 0;
  for (std::size_t i = 0; i < good.size(); ++i)
    for (const int flip : {1, 4, 16, 128, 255}) {
      std::string bad = good;
      bad[i] = static_cast<char>(bad[i] ^ flip);
      check(bad);
      ++tried;
    }
  CHECK(refused > tried * 9 / 10);  // one space is as good as another kind of it
}

}  // namespace

int main() {
  same_bits_without_allocation<float>(kPlain);
  same_bits_without_allocation<double>(kNormalized);
  more_calls_than_were_announced();
  sizes_and_types();
  several_inputs_by_the_call_for_one();
  what_is_wrong_with_a_file();
  damaged_files();
  std::puts("serving: ok");
}
