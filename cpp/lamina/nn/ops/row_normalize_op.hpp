// Normalisation of each row by itself: y = (x - m) / sqrt(mean((x - m)^2) + epsilon) gamma + beta,
// where m is the row's mean (layer normalisation: Ba, Kiros & Hinton, arXiv 1607.06450) or 0 (root
// mean square: Zhang & Sennrich, arXiv 1910.07467).
#pragma once

#include "lamina/nn/op.hpp"
#include "lamina/nn/ops/column_sums.hpp"

namespace lamina {

template <class T>
class RowNormalizeOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  RowNormalizeOp(bool centered, const AffineTensors& affine, Index width, double epsilon)
      : centered_(centered), affine_(affine, width), n_(width), epsilon_(epsilon) {
    this->kind = centered ? "layer_normalization" : "rms_normalization";
    this->flags.needs_inputs = true;
    this->tensors = affine.tensors();
    this->flags.keeps_gradient = !this->tensors.empty();
  }

  Index flops_per_row() const override { return centered_ ? 10 * n_ : 9 * n_; }

  // Mean and 1 / sigma of each row, then the chunks' sums.
  std::size_t state_bytes(Index batch_rows) const override {
    return row_bytes(round_up(batch_rows, kRowStep)) + ChunkSums<T>::bytes(batch_rows, n_);
  }

  void forward(const Ctx& c, Range rows) const override {
    const T *gamma = affine_.gamma(c.parameters), *beta = affine_.beta(c.parameters);
    double* kept = means(c);
    const Vec<T> epsilon{T(epsilon_)};
    const auto n = static_cast<double>(n_);
    for_rows<T>(rows.size(), n_, [&](const auto& view, Index r) {
      r += rows.begin;
      const auto x = view.read(this->in(c, r));
      auto mean = view.number(Vec<T>(T(0)));
      if (centered_) mean = view.sum(x) / n;
      const SplitMean<T> centre = split(view, mean);
      const auto squares = view.sum([&](const auto& at) {
        const Vec<T> d = centre.from(x(at));
        return d * d;
      });
      const Vec<T> inverse = inverse_root(view.vector(squares / n) + epsilon);
      view.write(this->out(c, r), [&](const auto& at) {
        return fma(centre.from(x(at)) * inverse, view.column(gamma, at), view.column(beta, at));
      });
      if (!kept) return;  // inference
      view.store(mean, kept + r);
      view.store(view.number(inverse), kept + c.padded_rows + r);
    });
  }

  // With g = dy gamma: dx = (g - mean(g) - xhat mean(g xhat)) / sigma, without mean(g) where m is
  // 0.
  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    const T* gamma = affine_.gamma(c.parameters);
    const double* kept = means(c);
    const auto n = static_cast<double>(n_);
    if (add[0]) c.scratch->a.reserve(kRowStep * n_);
    for_rows<T>(rows.size(), n_, [&](const auto& view, Index r) {
      r += rows.begin;
      const auto x = view.read(this->in(c, r)), dy = view.read(this->d_out(c, r));
      const SplitMean<T> centre = split(view, view.numbers(kept + r));
      const Vec<T> inverse = view.vector(view.numbers(kept + c.padded_rows + r));
      const auto xhat = [&](const auto& at) { return centre.from(x(at)) * inverse; };
      const auto g = [&](const auto& at) { return dy(at) * view.column(gamma, at); };
      Vec<T> mean(T(0));
      if (centered_) mean = view.vector(view.sum(g) / n);
      const Vec<T> slope =
          view.vector(view.sum([&](const auto& at) { return g(at) * xhat(at); }) / n);
      T *dx = this->d_in(c, r), *out = add[0] ? c.scratch->a.data() : dx;
      view.write(out,
                 [&](const auto& at) { return fma(-xhat(at), slope, g(at) - mean) * inverse; });
      if (add[0])  // a value with several consumers
        map_packets(view.rows() * n_, dx, out, dx, [](Vec<T> sum, Vec<T> d) { return sum + d; });
    });
  }

  void keep_gradient(const Ctx& c, Range rows) const override {
    const double *mean = means(c), *inverse = mean + c.padded_rows;
    for_chunks({rows.begin, std::min(rows.end, c.rows)}, [&](Range chunk) {
      T high[kRowStep], low[kRowStep], scale[kRowStep];
      for (Index i = 0; i < chunk.size(); ++i) {
        high[i] = T(mean[chunk.begin + i]);
        low[i] = T(mean[chunk.begin + i] - static_cast<double>(high[i]));
        scale[i] = T(inverse[chunk.begin + i]);
      }
      sums(c).take(
          chunk, [&](Index i) { return this->d_out(c, i); },
          [&](const auto& part, Index j, Index i) {
            const Index k = i - chunk.begin;
            const SplitMean<T> centre{Vec<T>(high[k]), Vec<T>(low[k])};
            return centre.from(part.load(this->in(c, i) + j)) * Vec<T>(scale[k]);
          });
    });
  }
  void parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const override {
    sums(c).total(c.rows, affine_.is_gamma(tensor), tile, out);
  }

 private:
  template <class View, class Number>
  static SplitMean<T> split(const View& view, const Number& mean) {
    const Vec<T> high = view.vector(mean);
    return {high, view.vector(mean - view.number(high))};
  }
  static std::size_t row_bytes(Index padded_rows) {
    return 2 * sizeof(double) * static_cast<std::size_t>(padded_rows);
  }
  double* means(const Ctx& c) const { return reinterpret_cast<double*>(c.state[this->index]); }
  ChunkSums<T> sums(const Ctx& c) const {
    return {c.state[this->index] + row_bytes(c.padded_rows), n_};
  }

  bool centered_;
  Affine<T> affine_;
  Index n_;
  double epsilon_;
};

}  // namespace lamina
