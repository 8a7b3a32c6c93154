#include "lamina/functions/activations.hpp"

#include <algorithm>
#include <array>
#include <cmath>

namespace lamina {
namespace {

template <class F>
Blend take_apart(const double* parameters) {
  return {F::template base<Activations>(parameters), F::of_input, F::initial(parameters)};
}

// A learned activation alone: every unit has the alpha of the start.
template <class F, class T>
void blend_alone(const double* parameters, Index rows, Index n, const T* x, const T* dy, T* out) {
  const Blend b = take_apart<F>(parameters);
  const ActivationKernels<T>& kernels = activation_kernels<T>(b.function.index);
  const Index size = rows * n;
  std::vector<T> f(static_cast<std::size_t>(size)), alpha(f.size(), T(b.initial));
  const double* inner = b.function.parameters.data();
  kernels.forward(inner, rows, n, x, f.data());
  if (dy) kernels.backward(inner, rows, n, x, f.data(), dy, f.data());
  blend(b.of_input, size, alpha.data(), dy ? dy : x, f.data(), out);
}

template <class F, class T>
void forward(const double* parameters, Index rows, Index n, const T* x, T* y) {
  if constexpr (Learned<F>) {
    blend_alone<F, T>(parameters, rows, n, x, nullptr, y);
  } else if constexpr (RowWise<F>) {
    const F f(parameters);
    for_rows<T>(rows, n, [&](const auto& view, Index r) { f.value(view, x + r * n, y + r * n); });
  } else {
    const F f(parameters);
    map_packets(rows * n, x, y, [f](Vec<T> v) { return f.value(v); });
  }
}

template <class F, class T>
void backward(const double* parameters, Index rows, Index n, const T* x, const T* y, const T* dy,
              T* dx) {
  if constexpr (Learned<F>) {
    blend_alone<F, T>(parameters, rows, n, x, dy, dx);
  } else if constexpr (RowWise<F>) {
    const F f(parameters);
    for_rows<T>(rows, n, [&](const auto& view, Index r) {
      f.backward(view, y + r * n, dy + r * n, dx + r * n);
    });
  } else {
    const F f(parameters);
    const T* v = F::needs == Needs::input ? x : y;
    map_packets(rows * n, v, dy, dx, [f](Vec<T> a, Vec<T> d) { return d * f.derivative(a, a); });
  }
}

template <class F>
constexpr Needs needs() {
  if constexpr (Learned<F>)
    return Needs::input;
  else
    return F::needs;
}

template <class T, class... F>
std::array<ActivationKernels<T>, sizeof...(F)> table(List<F...>) {
  return {ActivationKernels<T>{&forward<F, T>, &backward<F, T>, needs<F>()}...};
}

}  // namespace

template <class T>
const ActivationKernels<T>& activation_kernels(int index) {
  static const auto all = table<T>(Activations{});
  return all[static_cast<std::size_t>(index)];
}

template <class T>
void blend(bool of_input, Index n, const T* alpha, const T* x, const T* f, T* y) {
  if (of_input) std::swap(x, f);
  for_packets<T>(n, [&](auto part, Index i, Index) {
    const Vec<T> base = part.load(x + i);
    part.store(fma(part.load(alpha + i), part.load(f + i) - base, base), y + i);
  });
}

std::optional<Blend> blend_of(const Choice& activation) {
  return Activations::visit(activation.index, [&]<class F>() -> std::optional<Blend> {
    if constexpr (Learned<F>) return take_apart<F>(activation.parameters.data());
    return {};
  });
}

bool is_row_wise(const Choice& activation) {
  if (const auto b = blend_of(activation)) return is_row_wise(b->function);
  return Activations::visit(activation.index, []<class F>() { return RowWise<F>; });
}

// The function itself is asked: nobody has to keep a list.
Ends ends_of(const Choice& activation) {
  Ends ends;
  if (blend_of(activation) || is_row_wise(activation)) return ends;
  constexpr double kFar = 1e4, kMiddle = 8, kFlat = 1e-3;
  constexpr double kNearOfTwo = 0.02;   // of the way between both ends
  constexpr double kNearOfOne = 0.001;  // of the way from f(0) to the end
  const std::array<double, 7> x = {-2 * kFar, -kFar, -kMiddle, 0, kMiddle, kFar, 2 * kFar};
  std::array<double, 7> y;
  activation_kernels<double>(activation.index)
      .forward(activation.parameters.data(), 7, 1, x.data(), y.data());
  if (std::abs(y[0] - y[1]) < kFlat) ends.low = y[0];
  if (std::abs(y[6] - y[5]) < kFlat) ends.high = y[6];
  if (ends.both()) {
    ends.near = kNearOfTwo * std::abs(ends.high - ends.low);
  } else if (!std::isnan(ends.one())) {
    ends.near = kNearOfOne * std::abs(y[3] - ends.one());
    // GELU and its like are 0 at 0, too, but nowhere else exactly.
    const double middle = std::isnan(ends.low) ? y[4] : y[2];
    if (middle != ends.one()) ends.near = std::max(ends.near, 1e-6);
  }
  return ends;
}

const char* suitable_initializer(const Choice& activation) {
  if (const auto b = blend_of(activation)) return suitable_initializer(b->function);
  return Activations::visit(activation.index, []<class F>() -> const char* {
    if constexpr (requires { F::initializer; }) return F::initializer;
    return "glorot_uniform";
  });
}

template const ActivationKernels<float>& activation_kernels<float>(int);
template const ActivationKernels<double>& activation_kernels<double>(int);
template void blend<float>(bool, Index, const float*, const float*, const float*, float*);
template void blend<double>(bool, Index, const double*, const double*, const double*, double*);

}  // namespace lamina
