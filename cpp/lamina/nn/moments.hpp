// Mean and variance of columns, in double: by chunks of kRowStep rows, chunks merged in order
// (Chan, Golub & LeVeque, Updating formulae for sample variances, 1979). No difference of large
// squares.
#pragma once

#include <algorithm>
#include <vector>

#include "lamina/nn/product.hpp"

namespace lamina {

struct ColumnMoments {
  Index rows = 0;
  std::vector<double> mean, deviations;  // deviations: the sum of their squares

  explicit ColumnMoments(Index columns)
      : mean(static_cast<std::size_t>(columns)), deviations(mean.size()) {}

  double variance(Index column) const {
    return deviations[static_cast<std::size_t>(column)] / static_cast<double>(rows);
  }

  // Rows one after another. Where a chunk ends depends on the first row of the call.
  template <class T>
  void add(const T* x, Index count) {
    const auto columns = static_cast<Index>(mean.size());
    ColumnMoments chunk(columns);
    for (Index first = 0; first < count; first += kRowStep, x += kRowStep * columns) {
      chunk.take(x, std::min(kRowStep, count - first));
      merge(chunk);
    }
  }

  void merge(const ColumnMoments& other) {
    const auto before = static_cast<double>(rows), added = static_cast<double>(other.rows);
    for (std::size_t j = 0; j < mean.size(); ++j) {
      const double distance = other.mean[j] - mean[j];
      mean[j] += distance * added / (before + added);
      deviations[j] +=
          other.deviations[j] + distance * distance * before * added / (before + added);
    }
    rows += other.rows;
  }

 private:
  // Those of a few rows alone.
  template <class T>
  void take(const T* x, Index count) {
    const auto columns = static_cast<Index>(mean.size());
    rows = count;
    std::fill(mean.begin(), mean.end(), 0.0);
    std::fill(deviations.begin(), deviations.end(), 0.0);
    for (Index i = 0; i < count; ++i)
      for (Index j = 0; j < columns; ++j)
        mean[static_cast<std::size_t>(j)] += static_cast<double>(x[i * columns + j]);
    for (double& sum : mean) sum /= static_cast<double>(count);
    for (Index i = 0; i < count; ++i)
      for (Index j = 0; j < columns; ++j) {
        const auto at = static_cast<std::size_t>(j);
        const double d = static_cast<double>(x[i * columns + j]) - mean[at];
        deviations[at] += d * d;
      }
  }
};

}  // namespace lamina
