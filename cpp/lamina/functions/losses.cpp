#include "lamina/functions/losses.hpp"

#include <array>

namespace lamina {
namespace {

template <class L, class T>
void run_rows(const L& loss, Index rows, Index n, const T* p, Target<T> y, const double* scale,
              double* values, T* gradient) {
  for (Index r = 0; r < rows; ++r) {
    T* d = gradient + r * n;
    values[r] = loss.row(n, p + r * n, y.at(r, n), d);
    if (scale) {
      const T factor = T(scale[r]);
      for (Index j = 0; j < n; ++j) d[j] *= factor;
    }
  }
}

// One pass over all elements in registers, then a short one that adds up and scales each row.
template <class L, class T>
void run_elements(const L& loss, Index rows, Index n, const T* p, const T* y, const double* scale,
                  double* values, T* gradient, T* scratch) {
  map_packets(rows * n, p, y, scratch,
              [&](Vec<T> a, Vec<T> b) { return loss.element(a, b).value; });
  map_packets(rows * n, p, y, gradient,
              [&](Vec<T> a, Vec<T> b) { return loss.element(a, b).derivative; });
  const double mean = 1.0 / static_cast<double>(n);
  for (Index r = 0; r < rows; ++r) {
    double sum = 0;
    const T factor = T((scale ? scale[r] : 1.0) * mean);
    for (Index j = 0; j < n; ++j) {
      sum += scratch[r * n + j];
      gradient[r * n + j] *= factor;
    }
    values[r] = sum * mean;
  }
}

template <class L, class T>
void run(const double* parameters, bool fused, Index rows, Index n, const T* p, Target<T> y,
         const double* scale, double* values, T* gradient, T* scratch) {
  const L loss(parameters, fused);
  if constexpr (RowLoss<L>) {
    run_rows(loss, rows, n, p, y, scale, values, gradient);
  } else {
    run_elements(loss, rows, n, p, y.values, scale, values, gradient, scratch);
  }
}

template <class L>
constexpr const char* fused_name() {
  if constexpr (Fusible<L>) return L::fused_activation;
  return "";
}

template <class T, class... L>
std::array<LossKernel<T>, sizeof...(L)> table(List<L...>) {
  return {LossKernel<T>{&run<L, T>, RowLoss<L>, fused_name<L>()}...};
}

}  // namespace

template <class T>
const LossKernel<T>& loss_kernel(int index) {
  static const auto all = table<T>(Losses{});
  return all[static_cast<std::size_t>(index)];
}

template const LossKernel<float>& loss_kernel<float>(int);
template const LossKernel<double>& loss_kernel<double>(int);

}  // namespace lamina
