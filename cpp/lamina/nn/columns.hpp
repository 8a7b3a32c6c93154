// Columns: the data that reach an op, in double, read some rows or some columns at a time; and what
// is learned from them. Nothing here depends on the number of threads but the time.
#pragma once

#include <functional>
#include <span>

#include "lamina/nn/moments.hpp"
#include "lamina/nn/workspace.hpp"

namespace lamina {

class Columns {
 public:
  static constexpr Index kBlock = 256;  // rows

  Columns(Index rows, Index columns, int threads)
      : rows_(rows), columns_(columns), threads_(threads) {}
  virtual ~Columns() = default;
  Index rows() const { return rows_; }
  Index columns() const { return columns_; }
  int threads() const { return threads_; }

  // Calls use(rows, x) for blocks of kBlock rows, on several threads: row r of the data is row
  // part.begin + r, or index[r] with an index (of part.size() rows). Raises at numbers that are not
  // finite, missing values apart where those are taken.
  using Use = std::function<void(Range rows, const double* x)>;
  virtual void read(Range part, const std::int64_t* index, const Use& use) const = 0;

 private:
  Index rows_, columns_;
  int threads_;
};

// Of all rows, and which columns hold one and the same number.
struct Spread {
  ColumnMoments moments;
  std::vector<bool> constant;
};
Spread measure_spread(const Columns& data);

// Calls use(column, its numbers without missing values, in some order) for all columns, on several
// threads. Of more than kQuantileRows rows, n, it is row floor(i n / kQuantileRows) for each i.
inline constexpr Index kQuantileRows = 1000000;
void for_each_column(const Columns& data,
                     const std::function<void(Index column, std::span<double> numbers)>& use);

// How many missing values each column has, of all rows.
std::vector<Index> count_missing(const Columns& data);

// As numpy.quantile's "linear": between the two numbers around place (n - 1) share. Reorders.
double quantile(std::span<double> numbers, double share);

// What reaches an op of a graph with these parameters, in inference.
template <class T>
class ColumnsOf final : public Columns {
 public:
  ColumnsOf(const Graph& graph, const OpBase& op, const Batch& batch, const T* parameters,
            int threads);
  void read(Range part, const std::int64_t* index, const Use& use) const override;

 private:
  Index first_bad(Index rows, const double* x) const;
  const double* doubles(int thread, Index rows) const;

  const Batch batch_;
  const T* parameters_;
  const OpBase& op_;
  const Plan plan_;
  mutable Workspace<T> space_;
  mutable std::vector<Buffer<double>> converted_;  // by thread, of what comes in T
};

}  // namespace lamina
