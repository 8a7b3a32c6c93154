// Vec<T>: one register of T. A thin face over Eigen's packets, so that element mathematics is
// written once and runs on every instruction set. for_each_packet() pads the tail instead of
// running other code on it: a value's bits never depend on where in an array it stands.
#pragma once

#include <Eigen/Core>

#include "lamina/base/error.hpp"

namespace lamina {

template <class T>
struct Vec {
  using Packet = typename Eigen::internal::packet_traits<T>::type;
  static constexpr Index size = Eigen::internal::unpacket_traits<Packet>::size;
  Packet v;

  Vec() = default;
  Vec(Packet packet)
    requires(!std::is_same_v<Packet, T>)
      : v(packet) {}
  Vec(T value) : v(Eigen::internal::pset1<Packet>(value)) {}
  static Vec load(const T* from) { return wrap(Eigen::internal::ploadu<Packet>(from)); }
  void store(T* to) const { Eigen::internal::pstoreu(to, v); }
  static Vec wrap(const Packet& packet) {
    Vec out;
    out.v = packet;
    return out;
  }
  T first() const { return Eigen::internal::pfirst(v); }
  // The first n (0 < n < size) elements alone are touched in memory; the others are 0.
  static Vec load_first(const T* from, Index n) {
    using Traits = Eigen::internal::unpacket_traits<Packet>;
    if constexpr (bool(Traits::masked_load_available)) {
      return wrap(Eigen::internal::ploadu<Packet>(from, mask_of<Packet>(n)));
    } else {
      alignas(64) T all[size] = {};
      for (Index i = 0; i < n; ++i) all[i] = from[i];
      return load(all);
    }
  }
  void store_first(T* to, Index n) const {
    using Traits = Eigen::internal::unpacket_traits<Packet>;
    if constexpr (bool(Traits::masked_store_available)) {
      Eigen::internal::pstoreu(to, v, mask_of<Packet>(n));
    } else {
      alignas(64) T all[size];
      store(all);
      for (Index i = 0; i < n; ++i) to[i] = all[i];
    }
  }

  friend Vec operator+(Vec a, Vec b) { return wrap(Eigen::internal::padd(a.v, b.v)); }
  friend Vec operator-(Vec a, Vec b) { return wrap(Eigen::internal::psub(a.v, b.v)); }
  friend Vec operator*(Vec a, Vec b) { return wrap(Eigen::internal::pmul(a.v, b.v)); }
  friend Vec operator/(Vec a, Vec b) { return wrap(Eigen::internal::pdiv(a.v, b.v)); }
  friend Vec operator-(Vec a) { return wrap(Eigen::internal::pnegate(a.v)); }

 private:
  template <class P>
  static auto mask_of(Index n) {
    return static_cast<typename Eigen::internal::unpacket_traits<P>::mask_t>((1u << n) - 1);
  }
};

// a*b + c, rounded once.
template <class T>
Vec<T> fma(Vec<T> a, Vec<T> b, Vec<T> c) {
  return Vec<T>::wrap(Eigen::internal::pmadd(a.v, b.v, c.v));
}
template <class T>
Vec<T> sqrt(Vec<T> a) {
  return Vec<T>::wrap(Eigen::internal::psqrt(a.v));
}
template <class T>
Vec<T> abs(Vec<T> a) {
  return Vec<T>::wrap(Eigen::internal::pabs(a.v));
}
template <class T>
Vec<T> round(Vec<T> a) {
  return Vec<T>::wrap(Eigen::internal::print(a.v));  // rint: ties to even
}
// Masks are registers of all ones or all zeros, usable in select() alone.
template <class T>
Vec<T> less(Vec<T> a, Vec<T> b) {
  return Vec<T>::wrap(Eigen::internal::pcmp_lt(a.v, b.v));
}
template <class T>
Vec<T> equal(Vec<T> a, Vec<T> b) {
  return Vec<T>::wrap(Eigen::internal::pcmp_eq(a.v, b.v));
}
template <class T>
Vec<T> select(Vec<T> mask, Vec<T> yes, Vec<T> no) {
  return Vec<T>::wrap(Eigen::internal::pselect(mask.v, yes.v, no.v));
}
// max and min keep a NaN in a.
template <class T>
Vec<T> max(Vec<T> a, Vec<T> b) {
  return select(less(a, b), b, a);
}
template <class T>
Vec<T> min(Vec<T> a, Vec<T> b) {
  return select(less(b, a), b, a);
}
// a * 2^n for a whole n, saturating.
template <class T>
Vec<T> scale_by_power_of_two(Vec<T> a, Vec<T> n) {
  return Vec<T>::wrap(Eigen::internal::pldexp(a.v, n.v));
}
// a = mantissa * 2^exponent with the mantissa in [0.5, 1).
template <class T>
Vec<T> split_exponent(Vec<T> a, Vec<T>& exponent) {
  return Vec<T>::wrap(Eigen::internal::pfrexp(a.v, exponent.v));
}

// to(j, i) = from(i, j) for a square as wide as a register.
template <class T>
void transpose_square(const T* from, Index from_stride, T* to, Index to_stride) {
  using Packet = typename Vec<T>::Packet;
  constexpr Index w = Vec<T>::size;
  if constexpr (w == 1) {
    *to = *from;
  } else {
    Eigen::internal::PacketBlock<Packet, w> block;
    for (Index i = 0; i < w; ++i)
      block.packet[i] = Eigen::internal::ploadu<Packet>(from + i * from_stride);
    Eigen::internal::ptranspose(block);
    for (Index i = 0; i < w; ++i) Eigen::internal::pstoreu(to + i * to_stride, block.packet[i]);
  }
}

// Calls f(Vec x) -> Vec for every element of x, writing to y (which may be x).
template <class T, class F>
void map_packets(Index n, const T* x, T* y, F&& f) {
  constexpr Index w = Vec<T>::size;
  Index i = 0;
  for (; i + w <= n; i += w) f(Vec<T>::load(x + i)).store(y + i);
  if (i < n) {
    alignas(64) T in[w] = {};
    alignas(64) T out[w];
    for (Index j = 0; j < n - i; ++j) in[j] = x[i + j];
    f(Vec<T>::load(in)).store(out);
    for (Index j = 0; j < n - i; ++j) y[i + j] = out[j];
  }
}

// The same for two inputs.
template <class T, class F>
void map_packets(Index n, const T* a, const T* b, T* y, F&& f) {
  constexpr Index w = Vec<T>::size;
  Index i = 0;
  for (; i + w <= n; i += w) f(Vec<T>::load(a + i), Vec<T>::load(b + i)).store(y + i);
  if (i < n) {
    alignas(64) T in_a[w] = {};
    alignas(64) T in_b[w] = {};
    alignas(64) T out[w];
    for (Index j = 0; j < n - i; ++j) in_a[j] = a[i + j], in_b[j] = b[i + j];
    f(Vec<T>::load(in_a), Vec<T>::load(in_b)).store(out);
    for (Index j = 0; j < n - i; ++j) y[i + j] = out[j];
  }
}

}  // namespace lamina
