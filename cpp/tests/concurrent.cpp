// Predicting while another thread trains: before, during and after a fit, at the end of every epoch
// (for ThreadSanitizer).
#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

#include "check.hpp"
#include "lamina/train/trainer.hpp"

using namespace lamina;

namespace {

constexpr Index kRows = 64, kColumns = 20;

const char* kModel = R"({"seed": 1, "layers": [
  {"class": "Input", "shape": [20]},
  {"class": "Dense", "units": 64, "activation": "relu"},
  {"class": "BatchNormalization"},
  {"class": "Dense", "units": 3, "activation": "softmax"}]})";

}  // namespace

int main() {
  std::vector<float> x(kRows * kColumns), y(kRows);
  for (std::size_t i = 0; i < x.size(); ++i)
    x[i] = static_cast<float>(std::sin(0.7 * static_cast<double>(i)));
  for (std::size_t i = 0; i < y.size(); ++i) y[i] = static_cast<float>(i % 3);
  std::shared_ptr<Model> model = Model::create(parse_json("model", kModel));
  auto optimizer =
      std::make_shared<Optimizer>(parse_json("optimizer", R"({"class": "Adam", "use_ema": true})"));
  auto trainer = Trainer::create(model, optimizer, parse_json("loss", R"("cce")"),
                                 parse_json("metrics", "[]"), 7, {});
  Data data;
  data.inputs = {{x.data(), DType::float32, kRows, kColumns, 4 * kColumns, 4}};
  data.target = {y.data(), DType::float32, kRows, 1, 4, 4};

  std::atomic<bool> stop{false};
  std::atomic<int> predictions{0};
  std::thread other([&] {
    std::vector<float> out(kRows * 3);
    while (!stop) {
      model->predict(data.inputs, out.data(), {.num_threads = 1});
      predictions.fetch_add(1, std::memory_order_relaxed);  // orders nothing
    }
  });
  while (predictions.load(std::memory_order_relaxed) < 3) std::this_thread::yield();
  Monitor nobody;
  for (int fit = 0; fit < 3; ++fit) {
    trainer->begin_fit(data, {16, 100, true, 2, true, {.exact_threads = true}});
    for (int epoch = 0; epoch < 100; ++epoch)
      CHECK(trainer->run_epoch(nobody).end == EpochEnd::complete);
    trainer->end_fit();
  }
  stop = true;
  other.join();
  return 0;
}
