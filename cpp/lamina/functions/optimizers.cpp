#include "lamina/functions/optimizers.hpp"

#include <array>

#include "lamina/base/rows.hpp"

namespace lamina {
namespace {

using detail::sign;

template <class T>
Vec<T> penalized(Vec<T> g, Vec<T> p, Vec<T> twice_l2, Vec<T> l1) {
  return fma(l1, sign(p), fma(twice_l2, p, g));
}

template <class T>
Vec<T> soft_threshold(Vec<T> p, Vec<T> threshold) {
  const Vec<T> zero(T(0));
  const Vec<T> shrunk = abs(p) - threshold;
  return select(less(zero, shrunk), sign(p) * shrunk, zero);
}

template <class T>
struct Constants {
  Vec<T> scalars[kMaxScalars];
  Vec<T> gradient_scale, twice_l2, l1, clip_scale, clip_value, keep, threshold, average_rate;
  bool plain, proximal;

  explicit Constants(const UpdateRange<T>& r) {
    for (int i = 0; i < kMaxScalars; ++i)
      scalars[i] = Vec<T>(T(r.scalars[i] * (r.proportional >> i & 1 ? r.rate_multiplier : 1)));
    gradient_scale = Vec<T>(T(r.gradient_scale));
    twice_l2 = Vec<T>(T(2 * r.l2));
    l1 = Vec<T>(T(r.proximal ? 0 : r.l1));
    clip_scale = Vec<T>(T(r.clip_scale));
    clip_value = Vec<T>(T(r.clip_value));
    keep = Vec<T>(T(1 - r.decay));
    threshold = Vec<T>(T(r.threshold));
    average_rate = Vec<T>(T(1 - r.average_momentum));
    proximal = r.threshold > 0;
    plain = r.gradient_scale == 1 && r.l2 == 0 && (r.proximal || r.l1 == 0) && r.clip_scale == 1 &&
            r.clip_value == kInfinity && r.decay == 0 && !proximal;
  }
};

// One register of weights; slots and average are loaded and stored by the caller.
template <class O, class T>
EIGEN_ALWAYS_INLINE Vec<T> step(const Constants<T>& c, Vec<T> p, Vec<T> g, Vec<T>* slot) {
  if (c.plain) return O::update(p, g, slot, c.scalars);
  g = penalized(g * c.gradient_scale, p, c.twice_l2, c.l1) * c.clip_scale;
  g = min(max(g, -c.clip_value), c.clip_value);
  p = O::update(p * c.keep, g, slot, c.scalars);
  return c.proximal ? soft_threshold(p, c.threshold) : p;
}

template <class O, class T>
bool update(const UpdateRange<T>& r) {
  constexpr Index w = Vec<T>::size;
  const Constants<T> c(r);
  T *const p = r.p, *const average = r.average;  // not read anew behind every store
  const T* const g = r.g;
  T* slot[O::slots + 1] = {};
  std::copy_n(r.slot, O::slots, slot);
  const auto has = [&](int k) {
    if constexpr (requires { &O::uses; }) return slot[k] != nullptr;
    return true;
  };
  Vec<T> finite(T(0));
  for_packets<T>(r.n, [&, zero = Vec<T>(T(0))](auto part, Index i, Index) {
    Vec<T> s[O::slots + 1];
    for (int k = 0; k < O::slots; ++k) s[k] = has(k) ? part.load(slot[k] + i) : zero;
    const Vec<T> slope = part.load(g + i), out = step<O>(c, part.load(p + i), slope, s);
    finite = fma(part.keep(out, zero), zero, finite);  // 0 * inf and 0 * NaN are NaN
    finite = fma(slope, zero, finite);  // of which a sign or a threshold would make a number
    part.store(out, p + i);
    for (int k = 0; k < O::slots; ++k)
      if (has(k)) part.store(s[k], slot[k] + i);
    if (average) {
      const Vec<T> a = part.load(average + i);
      part.store(fma(c.average_rate, out - a, a), average + i);
    }
  });
  alignas(64) T sums[w];
  finite.store(sums);
  bool good = true;
  for (const T sum : sums) good = good && sum == 0;
  return good;
}

template <class O, class T>
constexpr OptimizerKernels<T> kernels() {
  OptimizerKernels<T> out{&update<O, T>, &O::prepare, nullptr, nullptr, -1, 0};
  if constexpr (requires { &O::uses; })
    out.uses = &O::uses;
  else
    out.uses = [](int slot, const double*) { return slot < O::slots; };
  if constexpr (requires { &O::proportional; })
    out.proportional = &O::proportional;
  else
    out.proportional = [](const double*) { return 1u; };
  if constexpr (requires { O::initial_slot_parameter; })
    out.initial_slot_parameter = O::initial_slot_parameter;
  if constexpr (requires { O::weight_decay; }) out.weight_decay = O::weight_decay;
  return out;
}

template <class T, class... O>
std::array<OptimizerKernels<T>, sizeof...(O)> table(List<O...>) {
  return {kernels<O, T>()...};
}

}  // namespace

template <class T>
const OptimizerKernels<T>& optimizer_kernels(int index) {
  static const auto all = table<T>(Optimizers{});
  return all[static_cast<std::size_t>(index)];
}

template <class T>
double squared_norm(const UpdateRange<T>& r) {
  const Vec<T> scale(T(r.gradient_scale)), twice_l2(T(2 * r.l2)), l1(T(r.proximal ? 0 : r.l1));
  LaneSums sums;
  for_packets<T>(r.n, [&](auto part, Index i, Index lane) {  // beyond the end g and p are 0
    sums.take(penalized(part.load(r.g + i) * scale, part.load(r.p + i), twice_l2, l1), lane,
              [](Vec<double> g, Vec<double> sum) { return fma(g, g, sum); });
  });
  return sums.total();
}

template const OptimizerKernels<float>& optimizer_kernels<float>(int);
template const OptimizerKernels<double>& optimizer_kernels<double>(int);
template double squared_norm<float>(const UpdateRange<float>&);
template double squared_norm<double>(const UpdateRange<double>&);

}  // namespace lamina
