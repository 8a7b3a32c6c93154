// The rows of a sparse input port that a run works on: compact, in the model's dtype, and for the
// gradients of kernels in the order of columns, too.
#pragma once

#include <memory>

#include "lamina/base/sparse.hpp"
#include "lamina/nn/product.hpp"

namespace lamina {

// What ops see.
template <class T>
struct SparseRows {
  struct Part {  // a row or a column
    Index count;
    const std::int32_t* at;  // columns of a row, rows of a column: ascending
    const T* values;
  };
  const Index *row_starts = nullptr, *column_ends = nullptr;
  const std::int32_t *columns = nullptr, *rows = nullptr;
  const T *by_row = nullptr, *by_column = nullptr;
  Index first_row = 0;

  Part row(Index r) const {
    const Index begin = row_starts[r - first_row], end = row_starts[r - first_row + 1];
    return {end - begin, columns + begin, by_row + begin};
  }
  Part column(Index k) const {
    const Index begin = k > 0 ? column_ends[k - 1] : 0;
    return {column_ends[k] - begin, rows + begin, by_column + begin};
  }
};

// Their memory. It grows when rows have more entries than it holds: at once to what the most rows
// of that matrix have together, so that no later step needs more.
template <class T>
class SparseStore {
 public:
  SparseStore();
  ~SparseStore();
  // capacity: most rows at a time; by_column: order() will be called.
  void make(Index columns, Index capacity, bool by_column);

  // Finds a place for rows [rows.begin, rows.end) of a selection, those behind its end empty. Of a
  // dense array it takes their entries at once: how many there are, nobody has counted.
  void prepare(const ArrayView& view, const Selection& selection, Range rows);
  // Takes the entries of some of them; on several threads at a time.
  void gather(const ArrayView& view, const Selection& selection, Range rows);
  // The entries of all rows by column.
  void order(int threads);

  SparseRows<T> rows() const;
  // The first row that a streamed array holds NaN or infinity in, in the selection; -1.
  Index bad_row() const { return bad_row_; }
  std::size_t bytes() const;

 private:
  void reserve(Index entries, bool keep);
  void take_dense(const ArrayView& view, const Selection& selection, Range rows);
  void order_columns(Range mine);

  Index columns_ = 0, capacity_ = 0, first_row_ = 0, count_ = 0, bad_row_ = -1;
  bool ordered_ = false;
  Buffer<Index> row_starts_, column_ends_;
  Buffer<std::int32_t> column_of_, row_of_;
  Buffer<T> by_row_, by_column_, dense_row_;
};

struct Graph;

// The stores of all sparse ports: of a batch, or of a thread's block.
template <class T>
class SparsePorts {
 public:
  SparsePorts();
  ~SparsePorts();
  void make(const Graph& graph, Index capacity, bool by_column);

  const SparseRows<T>* rows() const { return rows_.data(); }  // by value id
  void prepare(const std::vector<ArrayView>& inputs, const Selection& selection, Range rows);
  void gather(const std::vector<ArrayView>& inputs, const Selection& selection, Range rows);
  void order(int threads);
  Index bad_row() const;  // the first of all
  std::size_t bytes() const;

 private:
  const Graph* graph_ = nullptr;
  std::unique_ptr<SparseStore<T>[]> stores_;  // by port
  std::vector<SparseRows<T>> rows_;
};

// So many of them; null if the graph has no sparse port.
template <class T>
std::unique_ptr<SparsePorts<T>[]> sparse_ports(const Graph& graph, int count, Index capacity,
                                               bool by_column);

}  // namespace lamina
