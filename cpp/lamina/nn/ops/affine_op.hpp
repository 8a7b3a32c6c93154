// y = gamma x + beta, a number a column each, learned or constant.
#pragma once

#include "lamina/nn/op.hpp"
#include "lamina/nn/ops/column_sums.hpp"

namespace lamina {

template <class T>
class AffineOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  AffineOp(const AffineTensors& affine, Index width) : affine_(affine, width), n_(width) {
    this->kind = "scale";
    this->flags.needs_inputs = affine.gamma >= 0;
    this->flags.in_place = affine.gamma < 0;
    this->tensors = affine.tensors();
    this->flags.keeps_gradient = !this->tensors.empty();
  }
  Index flops_per_row() const override { return 2 * n_; }

  std::size_t state_bytes(Index batch_rows) const override {
    return this->tensors.empty() ? 0 : ChunkSums<T>::bytes(batch_rows, n_);
  }

  void forward(const Ctx& c, Range rows) const override {
    const T *gamma = affine_.gamma(c.parameters), *beta = affine_.beta(c.parameters);
    for_chunks(rows, [&](Range chunk) {
      for_columns<T>(n_, [&](const auto& part, Index j) {
        const Vec<T> scale = part.load(gamma + j), shift = part.load(beta + j);
        for (Index i = chunk.begin; i < chunk.end; ++i)
          part.store(fma(scale, part.load(this->in(c, i) + j), shift), this->out(c, i) + j);
      });
    });
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    const T* gamma = affine_.gamma(c.parameters);
    for_chunks(rows, [&](Range chunk) {
      for_columns<T>(n_, [&](const auto& part, Index j) {
        const Vec<T> scale = part.load(gamma + j);
        for (Index i = chunk.begin; i < chunk.end; ++i) {
          const Vec<T> dx = scale * part.load(this->d_out(c, i) + j);
          T* out = this->d_in(c, i) + j;
          part.store(add[0] ? part.load(out) + dx : dx, out);
        }
      });
    });
  }

  bool affine(const T* parameters, double* scale, double* shift) const override {
    std::copy_n(affine_.gamma(parameters), n_, scale);
    std::copy_n(affine_.beta(parameters), n_, shift);
    return true;
  }

  void keep_gradient(const Ctx& c, Range rows) const override {
    const bool by_input = this->flags.needs_inputs;
    for_chunks({rows.begin, std::min(rows.end, c.rows)}, [&](Range chunk) {
      sums(c).take(
          chunk, [&](Index i) { return this->d_out(c, i); },
          [&](const auto& part, Index j, Index i) {
            return by_input ? part.load(this->in(c, i) + j) : Vec<T>(T(0));
          });
    });
  }
  void parameter_gradient(const Ctx& c, int tensor, Range tile, T* out) const override {
    sums(c).total(c.rows, affine_.is_gamma(tensor), tile, out);
  }

 private:
  ChunkSums<T> sums(const Ctx& c) const { return {c.state[this->index], n_}; }

  Affine<T> affine_;
  Index n_;
};

}  // namespace lamina
