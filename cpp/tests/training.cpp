// Training from C++: it learns, its bits do not depend on threads, and a step allocates nothing
// after the first.
#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdlib>
#include <new>
#include <vector>

#include "check.hpp"
#include "lamina/io/model_file.hpp"
#include "lamina/train/trainer.hpp"

namespace {

std::atomic<long> allocations{0};

}  // namespace

void* operator new(std::size_t size) {
  ++allocations;
  if (void* p = std::malloc(size)) return p;
  throw std::bad_alloc();
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  ++allocations;
  const auto a = static_cast<std::size_t>(alignment);
  if (void* p = std::aligned_alloc(a, (size + a - 1) / a * a)) return p;
  throw std::bad_alloc();
}
// std::stable_sort's; else it would be AddressSanitizer's, and not match our delete.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  ++allocations;
  return std::malloc(size);
}
// g++ inlines one side of a pair and takes it for a mismatch (clang knows the name too).
#pragma GCC diagnostic ignored "-Wmismatched-new-delete"
void operator delete(void* p) noexcept { std::free(p); }
void operator delete(void* p, std::size_t) noexcept { std::free(p); }
void operator delete(void* p, std::align_val_t) noexcept { std::free(p); }
void operator delete(void* p, std::size_t, std::align_val_t) noexcept { std::free(p); }

using namespace lamina;

namespace {

constexpr Index kRows = 1000, kColumns = 20;

const char* kModel = R"({"seed": 1, "layers": [
  {"class": "Input", "shape": [20]},
  {"class": "Dense", "units": 64, "activation": "relu", "kernel_regularizer": {"class": "L2", "l2": 1e-4}},
  {"class": "Dropout", "rate": 0.1},
  {"class": "Dense", "units": 48, "activation": "tanh"},
  {"class": "Dense", "units": 3, "activation": "softmax"}]})";

struct Outcome {
  std::string fingerprint;
  double first_loss = 0, last_loss = 0;
  long allocations_in_steps = 0;
};

Outcome train(int threads, const char* optimizer_spec) {
  std::vector<float> x(kRows * kColumns), y(kRows);
  for (Index r = 0; r < kRows; ++r) {
    for (Index j = 0; j < kColumns; ++j)
      x[r * kColumns + j] = static_cast<float>(
          std::sin(0.7 * static_cast<double>(r * (j + 1)) + static_cast<double>(j)));
    y[r] = x[r * kColumns] > 0.5f ? 0.0f : x[r * kColumns + 1] > 0 ? 1.0f : 2.0f;
  }
  std::shared_ptr<Model> model = Model::create(parse_json("model", kModel));
  auto optimizer = std::make_shared<Optimizer>(parse_json("optimizer", optimizer_spec));
  auto trainer = Trainer::create(model, optimizer, parse_json("loss", R"("cce")"),
                                 parse_json("metrics", R"(["accuracy"])"), 7, {});
  Data data;
  data.inputs = {{x.data(), DType::float32, kRows, kColumns, 4 * kColumns, 4}};
  data.target = {y.data(), DType::float32, kRows, 1, 4, 4};
  trainer->begin_fit(data, {100, 20, true, threads, true, {.exact_threads = true}});
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

}  // namespace

int main() {
  for (const char* optimizer :
       {R"("adam")", R"({"class": "Nesterov", "learning_rate": 0.05, "global_clipnorm": 0.5})"}) {
    const Outcome one = train(1, optimizer);
    CHECK(one.last_loss < 0.6 * one.first_loss);
    std::printf("%s: loss %.4f -> %.4f, %ld allocations in steps\n", optimizer, one.first_loss,
                one.last_loss, one.allocations_in_steps);
    CHECK(one.allocations_in_steps == 0);
    for (const int threads : {2, 3, 5})
      CHECK(train(threads, optimizer).fingerprint == one.fingerprint);
  }
  return 0;
}
