// Rows in registers: what softmax and its like do along a row, written once over one of two views.
// OneRow lays a row along registers; NarrowRows lays a register's length of rows of up to kLanes
// columns across them, a column a register, so that maxima and sums need no steps within a
// register. Both add in an order that does not depend on the width of a register: element j goes to
// lane j % 16 of sixteen sums in double, and these are added in one fixed tree. So both give the
// same bits.
//
// A view has read(x) -> values by place, keep(memory) -> the same to be put, largest(in) and
// sum(f(place)) along the row, write(y, f(place)), labels(numbers), numbers(x) and store(number, x)
// for memory with a number a row, column(numbers, place) for memory with a number a column,
// number(register) and vector(number), and says how many rows() it is. A Number is a double a row.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <type_traits>

#include "lamina/base/transpose.hpp"

namespace lamina {

inline constexpr Index kLanes = 16;

// Calls f(part, j, lane) for the registers of a row: elements j, j + 1, ... as far as `part`
// reaches, of which the first goes to `lane`.
template <class T, class F>
void for_packets(Index n, F&& f) {
  constexpr Index w = Vec<T>::size;
  Index j = 0;
  for (; j + kLanes <= n; j += kLanes)
    for (Index lane = 0; lane < kLanes; lane += w) f(Whole<T>{}, j + lane, lane);
  for (Index lane = 0; lane < kLanes; lane += w)
    if (j + lane < n) f(Front<T>(std::min(w, n - j - lane)), j + lane, lane);
}

namespace detail {

// v in double: the sum's lanes take it in order.
#ifdef EIGEN_VECTORIZE_AVX512
inline void widen(Vec<float> v, Vec<double>* out) {
  out[0] = _mm512_cvtps_pd(_mm512_castps512_ps256(v.v));
  out[1] = _mm512_cvtps_pd(_mm256_castpd_ps(_mm512_extractf64x4_pd(_mm512_castps_pd(v.v), 1)));
}
#elif defined EIGEN_VECTORIZE_AVX2
inline void widen(Vec<float> v, Vec<double>* out) {
  out[0] = _mm256_cvtps_pd(_mm256_castps256_ps128(v.v));
  out[1] = _mm256_cvtps_pd(_mm256_extractf128_ps(v.v, 1));
}
#else
inline void widen(Vec<float> v, Vec<double>* out) {
  alignas(64) float narrow[Vec<float>::size];
  alignas(64) double wide[Vec<float>::size];
  v.store(narrow);
  std::copy_n(narrow, Vec<float>::size, wide);
  for (Index i = 0; i < Vec<float>::size; i += Vec<double>::size)
    *out++ = Vec<double>::load(wide + i);
}
#endif
inline void widen(Vec<double> v, Vec<double>* out) { *out = v; }

// The way back, rounded.
#ifdef EIGEN_VECTORIZE_AVX512
inline void narrow(const Vec<double>* v, Vec<float>& out) {
  const __m256d low = _mm256_castps_pd(_mm512_cvtpd_ps(v[0].v)),
                high = _mm256_castps_pd(_mm512_cvtpd_ps(v[1].v));
  out.v = _mm512_castpd_ps(_mm512_insertf64x4(_mm512_castpd256_pd512(low), high, 1));
}
#elif defined EIGEN_VECTORIZE_AVX2
inline void narrow(const Vec<double>* v, Vec<float>& out) {
  out.v = _mm256_set_m128(_mm256_cvtpd_ps(v[1].v), _mm256_cvtpd_ps(v[0].v));
}
#else
inline void narrow(const Vec<double>* v, Vec<float>& out) {
  alignas(64) double wide[Vec<float>::size];
  alignas(64) float single[Vec<float>::size];
  for (Index i = 0; i < Vec<float>::size; i += Vec<double>::size) (v++)->store(wide + i);
  for (Index i = 0; i < Vec<float>::size; ++i) single[i] = static_cast<float>(wide[i]);
  out = Vec<float>::load(single);
}
#endif
inline void narrow(const Vec<double>* v, Vec<double>& out) { out = *v; }

// The sum of a register: its halves added, then theirs, and so on.
inline double add_up(Vec<double> v) {
#ifdef EIGEN_VECTORIZE_AVX512
  const __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(v.v), _mm512_extractf64x4_pd(v.v, 1));
#elif defined EIGEN_VECTORIZE_AVX2
  const __m256d four = v.v;
#endif
#if defined EIGEN_VECTORIZE_AVX512 || defined EIGEN_VECTORIZE_AVX2
  const __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
  return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
#else
  alignas(64) double lanes[Vec<double>::size];
  v.store(lanes);
  for (Index half = Vec<double>::size / 2; half > 0; half /= 2)
    for (Index i = 0; i < half; ++i) lanes[i] += lanes[i + half];
  return lanes[0];
#endif
}

}  // namespace detail

// Sixteen sums in double that grow lane by lane, and their total.
class LaneSums {
 public:
  LaneSums() {
    for (Vec<double>& s : sum_) s = Vec<double>(0.0);
  }
  // The registers of v go to the lanes from `lane` on: each becomes f(register, sum).
  template <class T, class F>
  void take(Vec<T> v, Index lane, F&& f) {
    constexpr Index parts = Vec<T>::size / kWide;
    Vec<double> part[parts];
    detail::widen(v, part);
    for (Index i = 0; i < parts; ++i) {
      Vec<double>& sum = sum_[lane / kWide + i];
      sum = f(part[i], sum);
    }
  }
  double total() {
    for (Index half = kLanes / kWide / 2; half > 0; half /= 2)
      for (Index i = 0; i < half; ++i) sum_[i] = sum_[i] + sum_[i + half];
    return detail::add_up(sum_[0]);
  }

 private:
  static constexpr Index kWide = Vec<double>::size;
  Vec<double> sum_[kLanes / kWide];
};

template <class T>
class OneRow {
 public:
  using Number = double;
  template <class Part>
  struct Place {
    Part part;
    Index j, lane;
  };
  struct Values {
    const T* x;
    template <class Part>
    Vec<T> operator()(const Place<Part>& at) const {
      return at.part.load(x + at.j);
    }
  };
  // In memory, but the last few beside it: to load what a masked store has just written takes many
  // cycles.
  class Kept {
   public:
    explicit Kept(T* row) : row_(row) {}
    void put(const Place<Whole<T>>& at, Vec<T> v) { v.store(row_ + at.j); }
    void put(const Place<Front<T>>& at, Vec<T> v) { v.store(last_ + at.lane); }
    Vec<T> operator()(const Place<Whole<T>>& at) const { return Vec<T>::load(row_ + at.j); }
    Vec<T> operator()(const Place<Front<T>>& at) const { return Vec<T>::load(last_ + at.lane); }

   private:
    T* row_;
    alignas(64) T last_[kLanes];
  };
  struct Labels {
    Index label;
    template <class Part>
    Mask<T> at(const Place<Part>& place) const {  // at most one element
      return equal(Vec<T>::load(kCounting<T>.data()), Vec<T>(T(label - place.j)));
    }
    Number of(const Values& in) const { return in.x[label]; }
  };

  explicit OneRow(Index columns) : n_(columns) {}

  Values read(const T* x) const { return {x}; }
  Kept keep(T* memory) const { return Kept(memory); }
  Labels labels(const std::int32_t* labels) const { return {*labels}; }
  Number numbers(const double* x) const { return *x; }
  static Number number(Vec<T> same) { return static_cast<double>(same.first()); }
  static void store(Number v, double* x) { *x = v; }
  static Vec<T> vector(Number v) { return Vec<T>(T(v)); }
  static Index rows() { return 1; }
  // A number a column, by place.
  template <class Part>
  static Vec<T> column(const T* numbers, const Place<Part>& at) {
    return at.part.load(numbers + at.j);
  }

  template <class F>
  void write(T* y, F&& f) const {
    each([&](const auto& at) { at.part.store(f(at), y + at.j); });
  }

  // The largest element, NaNs left out; -infinity if there is none.
  Vec<T> largest(const Values& in) const {
    const Vec<T> least(-std::numeric_limits<T>::infinity());
    Vec<T> top = least;
    each([&](const auto& at) { top = max(top, at.part.keep(in(at), least)); });
    return Vec<T>(Eigen::internal::predux_max(top.v));
  }

  template <class F>
  Number sum(F&& f) const {
    LaneSums sums;
    each([&](const auto& at) {
      sums.take(at.part.keep(f(at), Vec<T>(T(0))), at.lane,
                [](Vec<double> v, Vec<double> sum) { return sum + v; });
    });
    return sums.total();
  }

 private:
  template <class F>
  void each(F&& f) const {
    for_packets<T>(n_, [&](const auto& part, Index j, Index lane) {
      f(Place<std::remove_cvref_t<decltype(part)>>{part, j, lane});
    });
  }

  Index n_;
};

// One row in double, in little code: every register masked, one loop. For what is rarely run; the
// sums are OneRow's.
class CompactRow {
 public:
  class Place {
   public:
    Place(Index j, Index n) : j_(j), part_(std::min(Vec<double>::size, n - j)) {}
    Vec<double> load(const double* row) const { return part_.load(row + j_); }
    void store(Vec<double> v, double* row) const { part_.store(v, row + j_); }
    Vec<double> keep(Vec<double> v, Vec<double> rest) const { return part_.keep(v, rest); }
    Index lane() const { return j_ % kLanes; }

   private:
    Index j_;
    Front<double> part_;
  };

  explicit CompactRow(Index columns) : n_(columns) {}

  template <class F>
  void each(F&& f) const {
    for (Index j = 0; j < n_; j += Vec<double>::size) f(Place(j, n_));
  }
  template <class F>
  double sum(F&& f) const {
    LaneSums sums;
    each([&](const Place& at) {
      sums.take(at.keep(f(at), Vec<double>(0.0)), at.lane(),
                [](Vec<double> v, Vec<double> sum) { return sum + v; });
    });
    return sums.total();
  }
  Vec<double> largest(const double* row) const {
    const Vec<double> least(-std::numeric_limits<double>::infinity());
    Vec<double> top = least;
    each([&](const Place& at) { top = max(top, at.keep(at.load(row), least)); });
    return Vec<double>(Eigen::internal::predux_max(top.v));
  }

 private:
  Index n_;
};

// A double for each of a register's length of rows.
template <class T>
struct Numbers {
  static constexpr Index parts = Vec<T>::size / Vec<double>::size;
  Vec<double> v[parts];

  Numbers() = default;
  Numbers(double x) { std::fill_n(v, parts, Vec<double>(x)); }
  explicit Numbers(Vec<T> x) { detail::widen(x, v); }

  template <class F>
  static Numbers map(const Numbers& a, const Numbers& b, F&& f) {
    Numbers out;
    for (Index i = 0; i < parts; ++i) out.v[i] = f(a.v[i], b.v[i]);
    return out;
  }
  using V = Vec<double>;
  friend Numbers operator+(const Numbers& a, const Numbers& b) {
    return map(a, b, [](V x, V y) { return x + y; });
  }
  friend Numbers operator-(const Numbers& a, const Numbers& b) {
    return map(a, b, [](V x, V y) { return x - y; });
  }
  friend Numbers operator*(const Numbers& a, const Numbers& b) {
    return map(a, b, [](V x, V y) { return x * y; });
  }
  friend Numbers operator/(const Numbers& a, const Numbers& b) {
    return map(a, b, [](V x, V y) { return x / y; });
  }
  friend Numbers operator-(const Numbers& a) {
    return map(a, a, [](V x, V) { return -x; });
  }
};

template <class T>
class NarrowRows {
 public:
  using Number = Numbers<T>;
  static constexpr Index width = Vec<T>::size;  // rows
  // A register a column; a place is the column's number.
  struct Columns {
    alignas(64) T data[kLanes * width];
    Columns() {}  // left as it is
    Vec<T> operator()(Index j) const { return Vec<T>::load(data + j * width); }
    void put(Index j, Vec<T> v) { v.store(data + j * width); }
  };
  struct Labels {
    Vec<T> label;
    Index n;
    Mask<T> at(Index j) const { return equal(label, Vec<T>(T(j))); }
    Number of(const Columns& in) const {
      Vec<T> out(T(0));
      for (Index j = 0; j < n; ++j) out = select(at(j), in(j), out);
      return Number(out);
    }
  };

  // Rows 1 ... width of 1 ... kLanes columns.
  NarrowRows(Index rows, Index columns) : rows_(rows), n_(columns) {}

  Columns read(const T* x) const {
    Columns out;
    for (Index j = 0; j < n_; j += width)
      transpose(x + j, n_, rows_, std::min(width, n_ - j), out.data + j * width, width, true);
    return out;
  }
  Columns keep(T*) const { return Columns(); }
  Labels labels(const std::int32_t* labels) const {
    alignas(64) T label[width];
    for (Index i = 0; i < width; ++i) label[i] = i < rows_ ? static_cast<T>(labels[i]) : T(-1);
    return {Vec<T>::load(label), n_};
  }
  Number numbers(const double* x) const {
    Number out;
    for (Index i = 0; i < Number::parts; ++i) {
      const Index first = i * Vec<double>::size;
      out.v[i] =
          Front<double>(std::clamp<Index>(rows_ - first, 0, Vec<double>::size)).load(x + first);
    }
    return out;
  }
  static Number number(Vec<T> v) { return Number(v); }
  // All of a register's rows.
  static void store(const Number& v, double* x) {
    for (Index i = 0; i < Number::parts; ++i) v.v[i].store(x + i * Vec<double>::size);
  }
  static Vec<T> vector(const Number& v) {
    Vec<T> out;
    detail::narrow(v.v, out);
    return out;
  }
  Index rows() const { return rows_; }
  static Vec<T> column(const T* numbers, Index j) { return Vec<T>(numbers[j]); }

  template <class F>
  void write(T* y, F&& f) const {
    Columns out;
    for (Index j = 0; j < n_; ++j) out.put(j, f(j));
    for (Index j = 0; j < n_; j += width)
      transpose(out.data + j * width, width, std::min(width, n_ - j), rows_, y + j, n_, false);
  }

  Vec<T> largest(const Columns& in) const {
    Vec<T> top(-std::numeric_limits<T>::infinity());
    for (Index j = 0; j < n_; ++j) top = max(top, in(j));
    return top;
  }

  template <class F>
  Number sum(F&& f) const {
    constexpr Index half = kLanes / 2;
    Number sum[half];
    for (Index j = 0; j < half; ++j) sum[j] = j < n_ ? Number(f(j)) : Number(0.0);
    for (Index j = half; j < n_; ++j) sum[j - half] = sum[j - half] + Number(f(j));
    for (Index h = half / 2; h > 0; h /= 2)
      for (Index j = 0; j < h; ++j) sum[j] = sum[j] + sum[j + h];
    return sum[0] + Number(0.0);  // -0 becomes 0, as where every lane starts from 0
  }

 private:
  Index rows_, n_;
};

// Calls f(view, first row) until all rows are done.
template <class T, class F>
void for_rows(Index rows, Index columns, F&& f) {
  constexpr Index w = Vec<T>::size;
  if constexpr (w > 1) {
    if (rows > 1 && columns <= kLanes) {
      for (Index r = 0; r < rows; r += w) f(NarrowRows<T>(std::min(w, rows - r), columns), r);
      return;
    }
  }
  for (Index r = 0; r < rows; ++r) f(OneRow<T>(columns), r);
}

}  // namespace lamina
