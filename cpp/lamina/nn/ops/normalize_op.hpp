// Batch normalisation: the one batch-coupled op. Training: by the batch's mean and variance
// (biased), summed over chunks of kRowStep rows in double, chunks in order. Inference, and training
// while it is frozen: by running statistics. Ioffe & Szegedy, Batch normalization, arXiv
// 1502.03167.
#pragma once

#include <cmath>

#include "lamina/nn/op.hpp"
#include "lamina/nn/ops/column_sums.hpp"

namespace lamina {

struct RunningStatistics {
  Index mean, variance;  // offsets
  double momentum;
};

template <class T>
class NormalizeOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  NormalizeOp(const AffineTensors& affine, const RunningStatistics& running, Index width,
              double epsilon)
      : affine_(affine, width),
        running_(running),
        n_(width),
        epsilon_(epsilon),
        zeros_(static_cast<std::size_t>(width)) {
    this->kind = "batch_normalization";
    this->flags.row_local = false;
    this->flags.needs_inputs = true;
    this->tensors = affine.tensors();
  }

  Index flops_per_row() const override { return 4 * n_; }

  std::size_t state_bytes(Index batch_rows) const override {
    const Index chunks = round_up(batch_rows, kRowStep) / kRowStep;
    return sizeof(double) * static_cast<std::size_t>((kTotals + 2 * chunks) * padded_) +
           sizeof(T) * static_cast<std::size_t>(kColumns * padded_);
  }

  // Mean and sum of squared deviations of each chunk, by differences from its first row: no
  // difference of large squares.
  void forward_sums(const Ctx& c, Range rows) const override {
    for_chunks({rows.begin, std::min(rows.end, c.rows)}, [&](Range chunk) {
      const Wide share = 1 / static_cast<double>(chunk.size());
      double *means = chunk_sums(c, chunk), *deviations = means + padded_;
      for_columns<T>(n_, [&](const auto& part, Index j) {
        Wide pivot[kParts], x[kParts], sum[kParts], squares[kParts];
        detail::widen(part.load(this->in(c, chunk.begin) + j), pivot);
        std::fill_n(sum, kParts, Wide(0.0));
        std::fill_n(squares, kParts, Wide(0.0));
        for (Index i = chunk.begin + 1; i < chunk.end; ++i) {
          detail::widen(part.load(this->in(c, i) + j), x);
          for (Index p = 0; p < kParts; ++p) {
            const Wide d = x[p] - pivot[p];
            sum[p] = sum[p] + d;
            squares[p] = fma(d, d, squares[p]);
          }
        }
        for (Index p = 0; p < kParts; ++p) {
          const Wide mean = sum[p] * share;
          (pivot[p] + mean).store(means + j + p * Wide::size);
          fma(-sum[p], mean, squares[p]).store(deviations + j + p * Wide::size);
        }
      });
    });
  }

  // Chunks merged in order: Chan, Golub & LeVeque, Updating formulae for sample variances, 1979.
  void forward_finish(const Ctx& c) const override {
    for (Index j = 0; j < padded_; j += Wide::size) {
      Wide mean(0.0), deviations(0.0);
      for_chunks({0, c.rows}, [&](Range chunk) {
        const auto before = static_cast<double>(chunk.begin);
        const double share = static_cast<double>(chunk.size()) / static_cast<double>(chunk.end);
        const double* sums = chunk_sums(c, chunk) + j;
        const Wide distance = Wide::load(sums) - mean;
        mean = fma(distance, Wide(share), mean);
        deviations =
            deviations + fma(distance * distance, Wide(before * share), Wide::load(sums + padded_));
      });
      mean.store(total(c, kMean) + j);
      (deviations / Wide(static_cast<double>(c.rows))).store(total(c, kVariance) + j);
    }
    const double* means = total(c, kMean);
    T *high = column(c, kHigh), *low = column(c, kLow);
    for (Index j = 0; j < padded_; ++j) {
      high[j] = T(means[j]);
      low[j] = T(means[j] - static_cast<double>(high[j]));
    }
    make_scale(c, column(c, kScale), total(c, kInverse));
  }

  void forward(const Ctx& c, Range rows) const override {
    const View v = view(c);
    const T* beta = affine_.beta(c.parameters);
    for_chunks(rows, [&](Range chunk) {
      for_columns<T>(n_, [&](const auto& part, Index j) {
        const SplitMean<T> centre = v.centre(part, j);
        const Vec<T> scale = part.load(v.scale + j), shift = part.load(beta + j);
        for (Index i = chunk.begin; i < chunk.end; ++i)
          part.store(fma(centre.from(part.load(this->in(c, i) + j)), scale, shift),
                     this->out(c, i) + j);
      });
    });
  }

  // sum dy and sum dy (x - mean) of each chunk.
  void backward_sums(const Ctx& c, Range rows) const override {
    const View v = view(c);
    for_chunks({rows.begin, std::min(rows.end, c.rows)}, [&](Range chunk) {
      double* sums = chunk_sums(c, chunk);
      for_columns<T>(n_, [&](const auto& part, Index j) {
        const SplitMean<T> centre = v.centre(part, j);
        Vec<T> sum(T(0)), product(T(0));
        for (Index i = chunk.begin; i < chunk.end; ++i) {
          const Vec<T> dy = part.load(this->d_out(c, i) + j);
          sum = sum + dy;
          product = fma(dy, centre.from(part.load(this->in(c, i) + j)), product);
        }
        store_wide(sum, sums + j);
        store_wide(product, sums + padded_ + j);
      });
    });
  }

  // The gradients of beta and gamma, and what they take from each row's:
  // dx = gamma / sigma (dy - mean(dy) - xhat mean(dy xhat)).
  void backward_finish(const Ctx& c) const override {
    double *sum = total(c, kSum), *product = total(c, kProduct), *inverse = total(c, kInverse);
    std::fill_n(sum, 2 * padded_, 0.0);
    for_chunks({0, c.rows}, [&](Range chunk) {
      const double* sums = chunk_sums(c, chunk);
      for (Index j = 0; j < 2 * padded_; ++j) sum[j] += sums[j];
    });
    T *scale = column(c, kScale), *offset = column(c, kOffset), *slope = column(c, kSlope);
    if (!by_batch(c)) make_scale(c, scale, inverse);
    const double share = -1 / static_cast<double>(c.rows);
    for (Index j = 0; j < padded_; ++j) {
      product[j] *= inverse[j];
      const double each = share * static_cast<double>(scale[j]);
      offset[j] = T(each * sum[j]);
      slope[j] = T(each * product[j] * inverse[j]);
    }
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    const View v = view(c);
    for_chunks(rows, [&](Range chunk) {
      for_columns<T>(n_, [&](const auto& part, Index j) {
        const SplitMean<T> centre = v.centre(part, j);
        const Vec<T> scale = part.load(v.scale + j), offset = part.load(v.offset + j),
                     slope = part.load(v.slope + j);
        for (Index i = chunk.begin; i < chunk.end; ++i) {
          const Vec<T> d = centre.from(part.load(this->in(c, i) + j));
          const Vec<T> dx = fma(scale, part.load(this->d_out(c, i) + j), fma(d, slope, offset));
          T* out = this->d_in(c, i) + j;
          part.store(add[0] ? part.load(out) + dx : dx, out);
        }
      });
    });
  }

  void parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const override {
    const double* sums = total(c, affine_.is_gamma(tensor) ? kProduct : kSum);
    for (Index j = tile.begin; j < tile.end; ++j) out[j - tile.begin] = T(sums[j]);
  }

  bool affine(const T* parameters, double* scale, double* shift) const override {
    const T *gamma = affine_.gamma(parameters), *beta = affine_.beta(parameters);
    for (Index j = 0; j < n_; ++j) {
      const double variance = static_cast<double>(parameters[running_.variance + j]) + epsilon_;
      scale[j] = variance > 0 ? static_cast<double>(gamma[j]) / std::sqrt(variance) : 0;
      shift[j] = static_cast<double>(beta[j]) -
                 scale[j] * static_cast<double>(parameters[running_.mean + j]);
    }
    return true;
  }

  void update_statistics(const Ctx& c) const override {
    if (!by_batch(c)) return;
    blend(c.statistics + running_.mean, total(c, kMean));
    blend(c.statistics + running_.variance, total(c, kVariance));
  }

 private:
  using Wide = Vec<double>;
  static constexpr Index kParts = Vec<T>::size / Wide::size;
  // The state: totals in double, two rows of sums a chunk, and what a column's elements need in T.
  enum Total : Index { kMean, kVariance, kInverse, kSum, kProduct, kTotals };
  enum Column : Index { kHigh, kLow, kScale, kOffset, kSlope, kColumns };

  // y = (x - mean) scale + beta, dx = scale dy + (x - mean) slope + offset.
  struct View {
    const T *high, *low, *scale, *offset, *slope;
    template <class Part>
    SplitMean<T> centre(const Part& part, Index j) const {
      return {part.load(high + j), part.load(low + j)};
    }
  };
  View view(const Ctx& c) const {
    if (by_batch(c))
      return {column(c, kHigh), column(c, kLow), column(c, kScale), column(c, kOffset),
              column(c, kSlope)};
    c.scratch->a.reserve(padded_);
    make_scale(c, c.scratch->a.data(), nullptr);
    return {c.parameters + running_.mean, zeros_.data(), c.scratch->a.data(), zeros_.data(),
            zeros_.data()};
  }
  // gamma / sigma, and if wanted 1 / sigma, of the statistics in use.
  void make_scale(const Ctx& c, T* scale, double* inverses) const {
    const T *gamma = affine_.gamma(c.parameters), *running = c.parameters + running_.variance;
    const double* variance = by_batch(c) ? total(c, kVariance) : nullptr;
    for_columns<T>(n_, [&](const auto& part, Index j) {
      Wide v[kParts], g[kParts];
      if (!variance) detail::widen(part.load(running + j), v);
      detail::widen(part.load(gamma + j), g);
      for (Index p = 0; p < kParts; ++p) {
        if (variance) v[p] = Wide::load(variance + j + p * Wide::size);
        const Wide inverse = inverse_root(v[p] + Wide(epsilon_));
        if (inverses) inverse.store(inverses + j + p * Wide::size);
        g[p] = g[p] * inverse;
      }
      Vec<T> product;
      detail::narrow(g, product);
      product.store(scale + j);
    });
  }

  bool by_batch(const Ctx& c) const { return c.training && !this->frozen; }
  static void store_wide(Vec<T> v, double* to) {
    Wide wide[kParts];
    detail::widen(v, wide);
    for (Index p = 0; p < kParts; ++p) wide[p].store(to + p * Wide::size);
  }
  void blend(T* running, const double* batch) const {
    for (Index j = 0; j < n_; ++j)
      running[j] = T(running_.momentum * static_cast<double>(running[j]) +
                     (1 - running_.momentum) * batch[j]);
  }
  double* total(const Ctx& c, Index which) const {
    return reinterpret_cast<double*>(c.state[this->index]) + which * padded_;
  }
  double* chunk_sums(const Ctx& c, Range chunk) const {
    return total(c, kTotals + 2 * (chunk.begin / kRowStep));
  }
  T* column(const Ctx& c, Index which) const {
    return reinterpret_cast<T*>(total(c, kTotals + 2 * (c.padded_rows / kRowStep))) +
           which * padded_;
  }

  Affine<T> affine_;
  RunningStatistics running_;
  Index n_, padded_ = padded_columns(n_);
  double epsilon_;
  std::vector<T> zeros_;
};

}  // namespace lamina
