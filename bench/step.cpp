// One training epoch of cases A to D in C++, without Python: milliseconds and share of the FMA peak
// that bench_peak measures. Usage: bench_step [peak in GFLOP/s] [cases, e.g. AB] [threads] [block
// rows] [tile elements] [exact]
#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <vector>

#include "lamina/base/philox.hpp"
#include "lamina/train/trainer.hpp"

using namespace lamina;

namespace {

struct Case {
  char name;
  Index rows, batch;
  std::vector<Index> widths;
  bool classes;
};

const std::vector<Case> kCases = {
    {'A', 60000, 32, {64, 32, 10}, true},
    {'B', 60000, 256, {50, 256, 256, 1}, false},
    {'C', 60000, 128, {784, 512, 256, 10}, true},
    {'D', 20000, 512, {1024, 2048, 2048, 1000}, true},
};

Json spec(const Case& c) {
  Json layers = Json::array();
  layers.push_back({{"class", "Input"}, {"shape", {c.widths[0]}}});
  for (std::size_t i = 1; i < c.widths.size(); ++i) {
    const bool last = i + 1 == c.widths.size();
    layers.push_back({{"class", "Dense"},
                      {"units", c.widths[i]},
                      {"activation", !last       ? "relu"
                                     : c.classes ? "softmax"
                                                 : "linear"}});
  }
  return {{"seed", 0}, {"layers", layers}};
}

// Multiply-adds counted as two: forward, weight gradient, and input gradient but for the first
// layer.
double flops(const Case& c) {
  double sum = 0;
  for (std::size_t i = 1; i < c.widths.size(); ++i)
    sum += static_cast<double>(c.widths[i - 1] * c.widths[i]) * (i == 1 ? 4 : 6);
  return sum * static_cast<double>(c.rows);
}

double epoch_seconds(const Case& c, int threads, const Scheduling& scheduling) {
  // On large pages, as NumPy allocates its arrays.
  Buffer<float> x(c.rows * c.widths[0]), y(c.rows);
  const Philox random(1);
  for (Index i = 0; i < x.size(); i += 4) {
    const auto block =
        random({static_cast<std::uint32_t>(i), static_cast<std::uint32_t>(i >> 32), 0, 0});
    for (Index k = 0; k < 4 && i + k < x.size(); ++k)
      x[i + k] = static_cast<float>(block[static_cast<std::size_t>(k)]) * 0x1.0p-31f - 1.0f;
  }
  for (Index r = 0; r < y.size(); ++r)
    y[r] = c.classes ? static_cast<float>(r % c.widths.back()) : x[r];
  std::shared_ptr<Model> model = Model::create(spec(c));
  auto trainer = Trainer::create(model, std::make_shared<Optimizer>(Json("adam")),
                                 {{Json(c.classes ? "cce" : "mse")}}, 0);
  Data data;
  const Index k = c.widths[0];
  data.inputs = {{x.data(), DType::float32, c.rows, k, 4 * k, 4}};
  data.targets = {{y.data(), DType::float32, c.rows, 1, 4, 4}};
  Monitor nobody;
  std::vector<double> seconds;
  trainer->begin_fit(data, {c.batch, 100, true, threads, true, scheduling});
  for (int epoch = 0; epoch < (c.name == 'D' ? 3 : 6); ++epoch) {
    const auto start = std::chrono::steady_clock::now();
    trainer->run_epoch(nobody);
    seconds.push_back(
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  trainer->end_fit();
  seconds.erase(seconds.begin());  // the first epoch warms up
  std::sort(seconds.begin(), seconds.end());
  return seconds[seconds.size() / 2];
}

}  // namespace

int main(int argc, char** argv) {
  const double peak = argc > 1 ? std::atof(argv[1]) : 0;
  const std::string wanted = argc > 2 ? argv[2] : "ABCD";
  const int threads = argc > 3 ? std::atoi(argv[3]) : 1;
  Scheduling scheduling;
  if (argc > 4) scheduling.block_rows = std::atoi(argv[4]);
  if (argc > 5) scheduling.tile_elements = std::atoi(argv[5]);
  scheduling.exact_threads = argc > 6;
  for (const Case& c : kCases) {
    if (wanted.find(c.name) == std::string::npos) continue;
    const double seconds = epoch_seconds(c, threads, scheduling), rate = flops(c) / seconds * 1e-9;
    std::printf("%c  %d threads  %9.2f ms  %7.1f GFLOP/s", c.name, threads, seconds * 1e3, rate);
    if (peak > 0) std::printf("  %5.1f %% of peak", 100 * rate / peak);
    std::printf("\n");
    std::fflush(stdout);
  }
  return 0;
}
