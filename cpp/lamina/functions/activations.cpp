#include "lamina/functions/activations.hpp"

#include <array>

namespace lamina {
namespace {

template <class F, class T>
void forward(const double* parameters, Index rows, Index n, const T* x, T* y) {
  const F f(parameters);
  if constexpr (RowWise<F>) {
    for_rows<T>(rows, n, [&](const auto& view, Index r) { f.value(view, x + r * n, y + r * n); });
  } else {
    map_packets(rows * n, x, y, [f](Vec<T> v) { return f.value(v); });
  }
}

template <class F, class T>
void backward(const double* parameters, Index rows, Index n, const T* x, const T* y, const T* dy,
              T* dx) {
  const F f(parameters);
  if constexpr (RowWise<F>) {
    for_rows<T>(rows, n, [&](const auto& view, Index r) {
      f.backward(view, y + r * n, dy + r * n, dx + r * n);
    });
  } else if constexpr (F::needs == Needs::input) {
    map_packets(rows * n, x, dy, dx, [f](Vec<T> v, Vec<T> d) { return d * f.derivative(v, v); });
  } else {
    map_packets(rows * n, y, dy, dx, [f](Vec<T> v, Vec<T> d) { return d * f.derivative(v, v); });
  }
}

template <class T, class... F>
std::array<ActivationKernels<T>, sizeof...(F)> table(List<F...>) {
  return {ActivationKernels<T>{&forward<F, T>, &backward<F, T>, F::needs, RowWise<F>}...};
}

}  // namespace

template <class T>
const ActivationKernels<T>& activation_kernels(int index) {
  static const auto all = table<T>(Activations{});
  return all[static_cast<std::size_t>(index)];
}

template const ActivationKernels<float>& activation_kernels<float>(int);
template const ActivationKernels<double>& activation_kernels<double>(int);

}  // namespace lamina
