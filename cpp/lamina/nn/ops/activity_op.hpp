// y = x, with a penalty on y: training adds l1 sum |y| + l2 sum y^2 of each row, times the row's
// share of the batch, to what is minimised. Inference and gradients without it: left out.
#pragma once

#include <algorithm>

#include "lamina/base/rows.hpp"
#include "lamina/functions/regularizers.hpp"
#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
class ActivityOp : public Op<T> {
 public:
  using typename Op<T>::Ctx;
  explicit ActivityOp(const Penalty& penalty) : l1_(penalty.l1), l2_(penalty.l2) {
    this->kind = "activity_regularization";
    this->flags.needs_output = true;
    this->flags.in_place = this->flags.identity = true;
    this->flags.training_only = true;
  }
  // A row's penalty each.
  std::size_t state_bytes(Index batch_rows) const override {
    return sizeof(double) * static_cast<std::size_t>(round_up(batch_rows, kRowStep));
  }

  void forward(const Ctx& c, Range rows) const override {
    const Index n = this->output.width;
    const T* x = this->in(c, rows.begin);
    T* y = this->out(c, rows.begin);
    if (x != y) std::copy_n(x, rows.size() * n, y);
    double* penalty = penalties(c);
    const OneRow<T> row(n);
    const Vec<T> l1{T(l1_)}, l2{T(l2_)};
    for (Index r = rows.begin; r < rows.end; ++r, y += n) {
      const auto in = row.read(y);
      penalty[r] = row.sum([&](const auto& at) {
        const Vec<T> v = in(at);
        return l1 * abs(v) + l2 * v * v;
      });
    }
  }

  // dx = dy + share (l1 sign(y) + 2 l2 y), sign(0) = 0; the padding's rows have no share.
  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    const Index n = this->output.width;
    const Vec<T> zero(T(0));
    for (Index r = rows.begin; r < rows.end; ++r) {
      const double share = r >= c.rows   ? 0.0
                           : c.row_share ? c.row_share[r]
                                         : 1 / static_cast<double>(c.rows);
      const Vec<T> l1{T(share * l1_)}, twice_l2{T(2 * share * l2_)};
      const T *y = this->out(c, r), *dy = this->d_out(c, r);
      T* dx = this->d_in(c, r);
      if (add[0])  // a value with several consumers
        map_packets(n, dx, dy, dx, [](Vec<T> sum, Vec<T> d) { return sum + d; });
      map_packets(n, y, add[0] ? dx : dy, dx, [=](Vec<T> v, Vec<T> d) {
        const Vec<T> sign = select(less(zero, v), l1, select(less(v, zero), -l1, zero));
        return d + (sign + twice_l2 * v);
      });
    }
  }

  double penalty_sum(const Ctx& c, const double* weights) const override {
    const double* penalty = penalties(c);
    double sum = 0;
    for (Index r = 0; r < c.rows; r += kRowStep) {
      double chunk = 0;
      for (Index i = r; i < std::min(c.rows, r + kRowStep); ++i) chunk += weights[i] * penalty[i];
      sum += chunk;
    }
    return sum;
  }

 private:
  double* penalties(const Ctx& c) const { return reinterpret_cast<double*>(c.state[this->index]); }

  double l1_, l2_;
};

}  // namespace lamina
