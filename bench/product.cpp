// The matrix products of training, by implementation: share of the FMA peak that bench_peak
// measures. Usage: bench_product [peak in GFLOP/s]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "lamina/nn/product.hpp"

using namespace lamina;

namespace {

double now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

template <class T>
double rate(bool eigen, ProductKind kind, Index rows, Index cols, Index depth,
            bool panels = false) {
  const bool a_transposed = kind == ProductKind::kernel_grad;
  const bool b_transposed = kind == ProductKind::input_grad;
  Buffer<T> a(rows * depth), b(cols * depth), c(rows * cols), packed(panels_size<T>(depth, cols));
  for (Index i = 0; i < a.size(); ++i) a[i] = T(0.01) * T(i % 17 - 8);
  for (Index i = 0; i < b.size(); ++i) b[i] = T(0.01) * T(i % 13 - 6);
  ProductScratch<T> scratch;
  if (eigen) scratch.forced = &eigen_product<T>;
  Product<T> p{kind,
               rows,
               cols,
               depth,
               {a.data(), a_transposed ? rows : depth},
               {b.data(), b_transposed ? depth : cols},
               c.data(),
               cols};
  if (panels) {
    pack_panel_rows(depth, cols, b.data(), cols, 0, depth, packed.data());
    p.b = {packed.data(), depth, true};
  }
  const double flops = 2.0 * static_cast<double>(rows * cols * depth);
  const int calls = std::max(1, static_cast<int>(5e8 / flops));
  double best = 1e9;
  for (int round = 0; round < 12; ++round) {
    const double start = now();
    for (int i = 0; i < calls; ++i) product(p, scratch);
    best = std::min(best, (now() - start) / calls);
  }
  return flops / best * 1e-9;
}

struct Shape {
  const char* what;
  Index rows, cols, depth;  // of the forward product: batch, outputs, inputs
};

template <class T>
void table(double peak) {
  const Shape shapes[] = {{"A 64-32", 32, 32, 64},          {"A 32-10", 32, 10, 32},
                          {"B 50-256", 256, 256, 50},       {"B 256-256", 256, 256, 256},
                          {"B 256-1", 256, 1, 256},         {"C 784-512", 128, 512, 784},
                          {"C 512-256", 128, 256, 512},     {"C 256-10", 128, 10, 256},
                          {"D 1024-2048", 256, 2048, 1024}, {"D 2048-2048", 256, 2048, 2048},
                          {"D 2048-1000", 256, 1000, 2048}};
  std::printf("%-12s %-24s %-24s %-32s\n", sizeof(T) == 4 ? "float32" : "float64",
              "forward lamina eigen", "input_grad lamina eigen", "kernel_grad lamina packed eigen");
  for (const Shape& s : shapes) {
    using enum ProductKind;
    constexpr bool lamina = false, eigen = true;
    const auto share = [&](double r) { std::printf("%8.1f %%", 100 * r / peak); };
    std::printf("%-12s", s.what);
    share(rate<T>(lamina, forward, s.rows, s.cols, s.depth));
    share(rate<T>(eigen, forward, s.rows, s.cols, s.depth));
    std::printf("   |");
    share(rate<T>(lamina, input_grad, s.rows, s.depth, s.cols));
    share(rate<T>(eigen, input_grad, s.rows, s.depth, s.cols));
    std::printf("   |");
    // A tile of a kernel: up to 64 of its rows.
    const Index tile = std::min<Index>(s.depth, 64);
    share(rate<T>(lamina, kernel_grad, tile, s.cols, s.rows));
    share(rate<T>(lamina, kernel_grad, tile, s.cols, s.rows, true));
    share(rate<T>(eigen, kernel_grad, tile, s.cols, s.rows));
    std::printf("\n");
    std::fflush(stdout);
  }
}

}  // namespace

int main(int argc, char** argv) {
  const double peak = argc > 1 ? std::atof(argv[1]) : 100;
  table<float>(peak);
  table<double>(peak / 2);
  return 0;
}
