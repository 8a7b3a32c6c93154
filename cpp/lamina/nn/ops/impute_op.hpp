// NaN becomes the column's median. With an indicator, as many columns more say where that was.
#pragma once

#include "lamina/nn/ops/preprocess_op.hpp"

namespace lamina {

template <class T>
class ImputeOp : public PreprocessOp<T, ImputeOp<T>> {
 public:
  using typename Op<T>::Ctx;
  // missing: where the share of missing values of each column lies; -1: no indicator.
  ImputeOp(Index width, const Centre& median, Index missing)
      : PreprocessOp<T, ImputeOp<T>>(width, true), median_(median), missing_(missing) {
    this->kind = "impute";
    this->flags.takes_missing = true;
    this->flags.needs_inputs = true;
  }

  template <class S, class D>
  void compute(const T* parameters, const S* x, D* y) const {
    const Index n = this->columns();
    for (Index j = 0; j < n; ++j) {
      const double median = median_.at(parameters, j);
      y[j] = static_cast<D>(x[j] == x[j] ? static_cast<double>(x[j]) : median);
    }
    if (missing_ < 0) return;
    for (Index j = 0; j < n; ++j)
      y[n + j] = x[j] != x[j] && parameters[missing_ + j] > T(0) ? D(1) : D(0);
  }

  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    for (Index r = rows.begin; r < rows.end; ++r) {
      const T *x = this->in(c, r), *dy = this->d_out(c, r);
      T* dx = this->d_in(c, r);
      for (Index j = 0; j < this->columns(); ++j)
        dx[j] = (add[0] ? dx[j] : T(0)) + (x[j] == x[j] ? dy[j] : T(0));
    }
  }

  void learn(const Columns& data, T* parameters) const override {
    for_each_column(data, [&](Index j, std::span<double> x) {
      median_.set(parameters, j, x.empty() ? 0.0 : quantile(x, 0.5));
    });
    if (missing_ < 0) return;
    const std::vector<Index> missing = count_missing(data);
    for (Index j = 0; j < data.columns(); ++j)
      parameters[missing_ + j] =
          static_cast<T>(static_cast<double>(missing[static_cast<std::size_t>(j)]) /
                         static_cast<double>(data.rows()));
  }

 private:
  Centre median_;
  Index missing_;
};

// Compiled in impute_op.cpp, for speed: whoever describes a model is compiled for size.
extern template class PreprocessOp<float, ImputeOp<float>>;
extern template class PreprocessOp<double, ImputeOp<double>>;
extern template class ImputeOp<float>;
extern template class ImputeOp<double>;

}  // namespace lamina
