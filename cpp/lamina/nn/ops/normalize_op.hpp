// Batch normalisation: the one batch-coupled op. Training: by the batch's mean and variance
// (biased), summed over chunks of kRowStep rows in double, chunks in order. Inference: by running
// statistics. Ioffe & Szegedy, Batch normalization, arXiv 1502.03167.
#pragma once

#include <algorithm>
#include <cmath>

#include "lamina/nn/op.hpp"

namespace lamina {

struct NormalizeOffsets {
  Index gamma, beta, mean, variance;
};

template <class T>
class NormalizeOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  NormalizeOp(int gamma, int beta, NormalizeOffsets at, Index width, double momentum,
              double epsilon)
      : at_(at), n_(width), momentum_(momentum), epsilon_(epsilon), gamma_tensor_(gamma) {
    this->kind = "batch_normalization";
    this->flags.row_local = false;
    this->flags.needs_inputs = true;
    this->tensors = {gamma, beta};
  }

  std::size_t state_bytes(Index batch_rows) const override {
    return sizeof(double) *
           static_cast<std::size_t>((round_up(batch_rows, kRowStep) / kRowStep * 2 + 4) * n_);
  }

  // Mean and sum of squared deviations of each chunk: no difference of large squares.
  void forward_sums(const Ctx& c, Range rows) const override {
    for_chunks(c, rows, [&](Range chunk_rows, double* mean, double* deviations) {
      for (Index i = chunk_rows.begin; i < chunk_rows.end; ++i)
        for (Index j = 0; j < n_; ++j) mean[j] += this->in(c, i)[j];
      for (Index j = 0; j < n_; ++j) mean[j] /= static_cast<double>(chunk_rows.size());
      for (Index i = chunk_rows.begin; i < chunk_rows.end; ++i) {
        const T* x = this->in(c, i);
        for (Index j = 0; j < n_; ++j) deviations[j] += (x[j] - mean[j]) * (x[j] - mean[j]);
      }
    });
  }

  // Chunks merged in order: Chan, Golub & LeVeque, Updating formulae for sample variances, 1979.
  void forward_finish(const Ctx& c) const override {
    double *mean = totals(c, 0), *inverse = totals(c, 1);
    std::fill_n(mean, 2 * n_, 0.0);
    for (Index r = 0; r < c.rows; r += kRowStep) {
      const auto before = static_cast<double>(r);
      const auto added = static_cast<double>(std::min(kRowStep, c.rows - r));
      const double *chunk_mean = chunk(c, r / kRowStep), *deviations = chunk_mean + n_;
      for (Index j = 0; j < n_; ++j) {
        const double distance = chunk_mean[j] - mean[j];
        mean[j] += distance * added / (before + added);
        inverse[j] += deviations[j] + distance * distance * before * added / (before + added);
      }
    }
    for (Index j = 0; j < n_; ++j)
      inverse[j] = 1 / std::sqrt(inverse[j] / static_cast<double>(c.rows) + epsilon_);
  }

  void forward(const Ctx& c, Range rows) const override {
    const T *gamma = c.parameters + at_.gamma, *beta = c.parameters + at_.beta;
    for (Index r = rows.begin; r < rows.end; ++r) {
      const T* x = this->in(c, r);
      T* y = this->out(c, r);
      for (Index j = 0; j < n_; ++j)
        y[j] = T((x[j] - mean(c, j)) * inverse(c, j)) * gamma[j] + beta[j];
    }
  }

  void backward_sums(const Ctx& c, Range rows) const override {
    for_chunks(c, rows, [&](Range chunk_rows, double* sum, double* sum_xhat) {
      for (Index i = chunk_rows.begin; i < chunk_rows.end; ++i) {
        const T *x = this->in(c, i), *dy = this->d_out(c, i);
        for (Index j = 0; j < n_; ++j)
          sum[j] += dy[j], sum_xhat[j] += dy[j] * ((x[j] - mean(c, j)) * inverse(c, j));
      }
    });
  }

  void backward_finish(const Ctx& c) const override { combine(c, totals(c, 2), totals(c, 3)); }

  // dx = gamma / sigma (dy - mean(dy) - xhat mean(dy xhat)); by running statistics without the
  // means.
  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    const T* gamma = c.parameters + at_.gamma;
    const double share = c.training ? 1.0 / static_cast<double>(c.rows) : 0.0;
    const double *sum = totals(c, 2), *sum_xhat = totals(c, 3);
    for (Index r = rows.begin; r < rows.end; ++r) {
      const T *x = this->in(c, r), *dy = this->d_out(c, r);
      T* dx = this->d_in(c, r);
      for (Index j = 0; j < n_; ++j) {
        const double xhat = (x[j] - mean(c, j)) * inverse(c, j);
        const double value =
            gamma[j] * inverse(c, j) * (dy[j] - share * (sum[j] + xhat * sum_xhat[j]));
        dx[j] = T(add[0] ? dx[j] + value : value);
      }
    }
  }

  void parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const override {
    const double* total = totals(c, tensor == gamma_tensor_ ? 3 : 2);
    for (Index j = tile.begin; j < tile.end; ++j) out[j - tile.begin] = T(total[j]);
  }

  bool affine(const T* parameters, T* scale, T* shift) const override {
    for (Index j = 0; j < n_; ++j) {
      const double inverse = 1 / std::sqrt(parameters[at_.variance + j] + epsilon_);
      scale[j] = T(parameters[at_.gamma + j] * inverse);
      shift[j] = T(parameters[at_.beta + j] -
                   parameters[at_.gamma + j] * inverse * parameters[at_.mean + j]);
    }
    return true;
  }

  void update_statistics(const Ctx& c) const override {
    for (Index j = 0; j < n_; ++j) {
      const double variance = 1 / (inverse(c, j) * inverse(c, j)) - epsilon_;
      blend(c.statistics[at_.mean + j], mean(c, j));
      blend(c.statistics[at_.variance + j], variance);
    }
  }

 private:
  void blend(T& running, double value) const {
    running = T(momentum_ * running + (1 - momentum_) * value);
  }

  // State: 4 rows of totals (mean, 1/sigma, sum dy, sum dy xhat), then two rows of sums a chunk.
  double* totals(const Ctx& c, int which) const {
    return reinterpret_cast<double*>(c.state[this->index]) + which * n_;
  }
  double* chunk(const Ctx& c, Index i) const { return totals(c, 4) + 2 * i * n_; }
  double mean(const Ctx& c, Index j) const {
    return c.training ? totals(c, 0)[j] : static_cast<double>(c.parameters[at_.mean + j]);
  }
  double inverse(const Ctx& c, Index j) const {
    return c.training ? totals(c, 1)[j] : 1 / std::sqrt(c.parameters[at_.variance + j] + epsilon_);
  }

  // Calls f(rows of a chunk, its two rows of state, zeroed) for the chunks within `rows`.
  template <class F>
  void for_chunks(const Ctx& c, Range rows, F&& f) const {
    const Index end = std::min(rows.end, c.rows);
    for (Index r = rows.begin; r < end; r += kRowStep) {
      double* state = chunk(c, r / kRowStep);
      std::fill_n(state, 2 * n_, 0.0);
      f(Range{r, std::min(end, r + kRowStep)}, state, state + n_);
    }
  }
  void combine(const Ctx& c, double* a, double* b) const {
    std::fill_n(a, n_, 0.0);
    std::fill_n(b, n_, 0.0);
    for (Index i = 0; i < round_up(c.rows, kRowStep) / kRowStep; ++i) {
      const double* sums = chunk(c, i);
      for (Index j = 0; j < n_; ++j) a[j] += sums[j], b[j] += sums[n_ + j];
    }
  }

  NormalizeOffsets at_;
  Index n_;
  double momentum_, epsilon_;
  int gamma_tensor_;
};

}  // namespace lamina
