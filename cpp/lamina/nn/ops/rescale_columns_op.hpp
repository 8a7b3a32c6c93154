// y = f((x - centre) / scale), column by column; 0 where the scale is 0. f is the identity, or a
// smooth clip to (-limit, limit): z / sqrt(1 + (z / limit)^2).
#pragma once

#include <limits>

#include "lamina/nn/ops/preprocess_op.hpp"

namespace lamina {

// What a column's centre and scale are.
enum class ScaleBy { deviation, quartiles };

struct RescaleColumns {
  ScaleBy by = ScaleBy::deviation;
  bool adapts = true;
  double limit = std::numeric_limits<double>::infinity();  // infinite: f is the identity
  Centre centre;
  Index scale = 0;  // offset
};

template <class T>
class RescaleColumnsOp : public PreprocessOp<T, RescaleColumnsOp<T>> {
 public:
  using typename Op<T>::Ctx;
  RescaleColumnsOp(const char* name, Index width, const RescaleColumns& what)
      : PreprocessOp<T, RescaleColumnsOp<T>>(width, what.adapts), is_(what) {
    this->kind = name;
    this->flags.needs_output = clips();
    this->flags.in_place = !clips();
  }

  template <class S, class D>
  void compute(const T* parameters, const S* x, D* y) const {
    clips() ? rescale<true>(parameters, x, y) : rescale<false>(parameters, x, y);
  }

  // By the output, whose rounding is relative to what the input was near to: 1 - (y / limit)^2 is
  // 1 / (1 + (z / limit)^2).
  void backward(const Ctx& c, Range rows, const std::vector<bool>& add) const override {
    if (!this->d_in(c, rows.begin)) return;
    for (Index r = rows.begin; r < rows.end; ++r) {
      const T* dy = this->d_out(c, r);
      const T* y = clips() ? this->out(c, r) : nullptr;
      T* dx = this->d_in(c, r);
      for (Index j = 0; j < this->columns(); ++j) {
        double slope = 1 / divisor(c.parameters, j);
        if (y) {
          const double ratio = static_cast<double>(y[j]) / is_.limit;
          const double rest = std::max(0.0, 1 - ratio * ratio);
          slope *= rest * std::sqrt(rest);
        }
        const double value = slope * static_cast<double>(dy[j]);
        dx[j] = static_cast<T>(add[0] ? static_cast<double>(dx[j]) + value : value);
      }
    }
  }

  bool affine(const T* parameters, double* scale, double* shift) const override {
    if (clips()) return false;
    for (Index j = 0; j < this->columns(); ++j) {
      scale[j] = 1 / divisor(parameters, j);
      shift[j] = -scale[j] * is_.centre.at(parameters, j);
    }
    return true;
  }

  void learn(const Columns& data, T* parameters) const override {
    is_.by == ScaleBy::deviation ? learn_deviation(data, parameters)
                                 : learn_quartiles(data, parameters);
  }

 private:
  bool clips() const { return is_.limit < std::numeric_limits<double>::infinity(); }

  // By infinity where there is nothing to scale: the result is 0.
  double divisor(const T* parameters, Index j) const {
    const auto scale = static_cast<double>(parameters[is_.scale + j]);
    return scale > 0 ? scale : std::numeric_limits<double>::infinity();
  }

  template <bool clipped, class S, class D>
  void rescale(const T* parameters, const S* x, D* y) const {
    const double limit = is_.limit;
    for (Index j = 0; j < this->columns(); ++j) {
      double z =
          (static_cast<double>(x[j]) - is_.centre.at(parameters, j)) / divisor(parameters, j);
      if (clipped) z /= std::sqrt(1 + (z / limit) * (z / limit));
      y[j] = static_cast<D>(z);
    }
  }

  void set(T* parameters, Index j, double centre, double scale) const {
    is_.centre.set(parameters, j, centre);
    const T rounded = static_cast<T>(scale);
    parameters[is_.scale + j] = rounded < std::numeric_limits<T>::min() ? T(0) : rounded;
  }

  void learn_deviation(const Columns& data, T* parameters) const {
    const Spread spread = measure_spread(data);
    for (Index j = 0; j < data.columns(); ++j) {
      const bool constant = spread.constant[static_cast<std::size_t>(j)];
      set(parameters, j, spread.moments.mean[static_cast<std::size_t>(j)],
          constant ? 0 : std::sqrt(spread.moments.variance(j)));
    }
  }

  void learn_quartiles(const Columns& data, T* parameters) const {
    for_each_column(data, [&](Index j, std::span<double> x) {
      const double median = quantile(x, 0.5);
      double scale = quantile(x, 0.75) - quantile(x, 0.25);
      const auto [least, most] = std::minmax_element(x.begin(), x.end());
      if (scale == 0) scale = (*most - *least) / 2;
      set(parameters, j, median, scale);
    });
  }

  RescaleColumns is_;
};

// Compiled in rescale_columns_op.cpp, for speed: whoever describes a model is compiled for size.
extern template class PreprocessOp<float, RescaleColumnsOp<float>>;
extern template class PreprocessOp<double, RescaleColumnsOp<double>>;
extern template class RescaleColumnsOp<float>;
extern template class RescaleColumnsOp<double>;

}  // namespace lamina
