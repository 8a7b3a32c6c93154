// Every elementwise kernel, by enumeration of the lists: an element's bits do not depend on where
// in an array it stands (shifts of 0 to 15 elements, lengths of 1 to 67), nor on what lies beside
// it.
#include <cmath>
#include <cstring>
#include <vector>

#include "check.hpp"
#include "lamina/functions/activations.hpp"
#include "lamina/functions/losses.hpp"
#include "lamina/functions/optimizers.hpp"

using namespace lamina;

namespace {

constexpr Index kLength = 67, kShifts = 16;

// Inputs on both sides of 0, with exact zeros and large ones among them.
template <class T>
T sample(Index i) {
  if (i % 13 == 5) return T(0);
  if (i % 17 == 3) return T(i % 2 ? 40 : -40);
  return T(std::sin(1.7 * static_cast<double>(i)) * 2.5);
}

template <class T>
std::vector<T> samples(Index n, Index from) {
  std::vector<T> out(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) out[static_cast<std::size_t>(i)] = sample<T>(i + from);
  return out;
}

template <class T>
bool same(const T* a, const T* b, Index n) {
  return std::memcmp(a, b, sizeof(T) * static_cast<std::size_t>(n)) == 0;
}

// run(n, a, b, out): a kernel from two arrays to one.
template <class T, class Run>
void check_shifts(const char* name, Run run) {
  const auto a = samples<T>(kLength, 0), b = samples<T>(kLength, 100);
  std::vector<T> alone(kLength);
  for (Index i = 0; i < kLength; ++i) run(Index{1}, &a[i], &b[i], &alone[i]);
  std::vector<T> x(kLength + kShifts), y(kLength + kShifts), out(kLength + kShifts);
  for (Index shift = 0; shift < kShifts; ++shift) {
    for (Index n = 1; n <= kLength; ++n) {
      std::copy_n(a.begin(), n, x.begin() + shift);
      std::copy_n(b.begin(), n, y.begin() + shift);
      run(n, x.data() + shift, y.data() + shift, out.data() + shift);
      if (same(out.data() + shift, alone.data(), n)) continue;
      std::fprintf(stderr, "%s: %d elements shifted by %d differ\n", name, static_cast<int>(n),
                   static_cast<int>(shift));
      std::exit(1);
    }
  }
}

template <class T>
void check_activations() {
  for (int i = 0; i < Activations::size; ++i) {
    const auto& kernels = activation_kernels<T>(i);
    if (kernels.row_wise) continue;
    const Choice f = default_choice(Activations::infos(), i);
    const char* name = Activations::infos()[static_cast<std::size_t>(i)].name;
    check_shifts<T>(name, [&](Index n, const T* x, const T*, T* y) {
      kernels.forward(f.parameters.data(), 1, n, x, y);
    });
    check_shifts<T>(name, [&](Index n, const T* x, const T* dy, T* dx) {
      kernels.backward(f.parameters.data(), 1, n, x, x, dy, dx);
    });
  }
}

template <class T>
void check_losses() {
  for (int i = 0; i < Losses::size; ++i) {
    const auto& kernel = loss_kernel<T>(i);
    if (kernel.row_wise) continue;
    const Choice loss = default_choice(Losses::infos(), i);
    const char* name = Losses::infos()[static_cast<std::size_t>(i)].name;
    for (const bool fused : {false, true}) {
      check_shifts<T>(name, [&](Index n, const T* p, const T* y, T* gradient) {
        std::vector<double> values(static_cast<std::size_t>(n));
        std::vector<T> scratch(static_cast<std::size_t>(n));
        kernel.run(loss.parameters.data(), fused, n, 1, p, {y, nullptr}, nullptr, values.data(),
                   gradient, scratch.data());
      });
    }
  }
}

template <class T>
void check_optimizers() {
  for (int i = 0; i < Optimizers::size; ++i) {
    const auto& kernels = optimizer_kernels<T>(i);
    const Choice method = default_choice(Optimizers::infos(), i);
    const char* name = Optimizers::infos()[static_cast<std::size_t>(i)].name;
    double scalars[kMaxScalars] = {};
    kernels.prepare(method.parameters.data(), 0.01, 3, scalars);
    for (const bool everything : {false, true}) {
      check_shifts<T>(name, [&](Index n, const T* p, const T* g, T* out) {
        std::copy_n(p, n, out);
        std::vector<T> first(static_cast<std::size_t>(n), T(0.25)),
            second(static_cast<std::size_t>(n), T(0.5));
        UpdateRange<T> range;
        range.p = out;
        range.g = g;
        range.slot[0] = first.data();
        range.slot[1] = second.data();
        range.n = n;
        range.scalars = scalars;
        if (everything) {
          range.l2 = 0.1, range.l1 = 0.05, range.threshold = 0.01;
          range.clip_scale = 0.7, range.clip_value = 1.5, range.decay = 0.001;
        }
        CHECK(kernels.update(range));
      });
    }
  }
}

// A weight that becomes infinite or NaN is noticed, in the body and in the tail.
void check_bad_weights() {
  double scalars[kMaxScalars] = {1, 0, 0, 0, 0, 0};
  for (Index at = 0; at < kLength; ++at) {
    auto p = samples<float>(kLength, 0), g = samples<float>(kLength, 1);
    g[static_cast<std::size_t>(at)] =
        at % 2 ? std::numeric_limits<float>::infinity() : std::nanf("");
    UpdateRange<float> range;
    range.p = p.data();
    range.g = g.data();
    range.n = kLength;
    range.scalars = scalars;
    CHECK(!optimizer_kernels<float>(0).update(range));
  }
}

}  // namespace

int main() {
  check_activations<float>();
  check_activations<double>();
  check_losses<float>();
  check_losses<double>();
  check_optimizers<float>();
  check_optimizers<double>();
  check_bad_weights();
  return 0;
}
