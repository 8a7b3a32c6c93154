#include "lamina/functions/losses.hpp"

#include <array>

namespace lamina {
namespace {

template <class L, class T>
void run_rows(const L& loss, Index rows, Index n, const T* p, Target<T> y, const double* scale,
              double* values, T* gradient) {
  alignas(64) double factor[kLanes], argument[kLanes];
  for (Index r = 0; r < rows; r += kLanes) {
    const Index count = std::min(kLanes, rows - r);
    for (Index i = 0; i < count; ++i) {
      const Index at = (r + i) * n;
      const RowValue v =
          loss.row(n, p + at, y.at(r + i, n), scale ? scale[r + i] : 1.0, gradient + at);
      values[r + i] = v.plain, factor[i] = v.factor, argument[i] = v.argument;
    }
    for_packets<double>(count, [&](auto part, Index i, Index) {
      const Vec<double> logarithm = log(part.load(argument + i));
      part.store(fma(part.load(factor + i), logarithm, part.load(values + r + i)), values + r + i);
    });
  }
}

// Rows that fill registers take one pass. Narrow ones are computed as one array, then added up and
// scaled.
template <class L, class T>
void run_elements(const L& loss, Index rows, Index n, const T* p, const T* y, const double* scale,
                  double* values, T* gradient, T* scratch) {
  const double mean = 1.0 / static_cast<double>(n);
  const auto factor = [&](Index r) { return T((scale ? scale[r] : 1.0) * mean); };
  if (n >= kLanes) {
    for (Index r = 0; r < rows; ++r) {
      const Index at = r * n;
      values[r] = mean * sum_row<T>(n, [&, f = Vec<T>(factor(r))](auto part, Index j, Index) {
                    const Pair<T> l = loss.element(part.load(p + at + j), part.load(y + at + j));
                    part.store(l.derivative * f, gradient + at + j);
                    return l.value;
                  });
    }
    return;
  }
  for_packets<T>(rows * n, [&](auto part, Index j, Index) {
    const Pair<T> l = loss.element(part.load(p + j), part.load(y + j));
    part.store(l.value, scratch + j);
    part.store(l.derivative, gradient + j);
  });
  for (Index r = 0; r < rows; ++r) {
    double sum = 0;
    const T f = factor(r);
    for (Index j = r * n; j < (r + 1) * n; ++j) {
      sum += scratch[j];
      gradient[j] *= f;
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
