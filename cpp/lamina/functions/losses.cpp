#include "lamina/functions/losses.hpp"

#include <array>

namespace lamina {
namespace {

template <class L, class T>
void run_rows(const L& loss, Index rows, Index n, const T* p, Target<T> y, const double* scale,
              double* values, T* gradient) {
  alignas(64) double plain[kLanes], factor[kLanes], argument[kLanes];
  for (Index r = 0; r < rows; r += kLanes) {
    const Index count = std::min(kLanes, rows - r);
    for_rows<T>(count, n, [&]<class View>(const View& view, Index i) {
      using Number = typename View::Number;
      const Index at = (r + i) * n;
      const Number share = scale ? view.numbers(scale + r + i) : Number(1.0);
      const RowValue<Number> v = loss.row(view, n, p + at, y.at(r + i, n), share, gradient + at);
      view.store(v.plain, plain + i);
      view.store(v.factor, factor + i);
      view.store(v.argument, argument + i);
    });
    for_packets<double>(count, [&](auto part, Index i, Index) {
      const Vec<double> logarithm = log(part.load(argument + i));
      part.store(fma(part.load(factor + i), logarithm, part.load(plain + i)), values + r + i);
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
      const Vec<T> f(factor(r));
      values[r] = mean * OneRow<T>(n).sum([&](const auto& at_j) {
        const Index j = at + at_j.j;
        const Pair<T> l = loss.element(at_j.part.load(p + j), at_j.part.load(y + j));
        at_j.part.store(l.derivative * f, gradient + j);
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
