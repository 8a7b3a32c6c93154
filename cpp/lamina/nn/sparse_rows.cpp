#include "lamina/nn/sparse_rows.hpp"

#include <algorithm>

#include "lamina/nn/op.hpp"

namespace lamina {

template <class T>
SparseStore<T>::SparseStore() = default;
template <class T>
SparseStore<T>::~SparseStore() = default;

template <class T>
void SparseStore<T>::make(Index columns, Index capacity, bool by_column) {
  columns_ = columns;
  capacity_ = round_up(capacity, kRowStep);
  ordered_ = by_column;
  row_starts_.allocate(capacity_ + 1);
  if (by_column) column_ends_.allocate(columns);
}

template <class T>
void SparseStore<T>::reserve(Index entries, bool keep) {
  if (entries <= by_row_.size()) return;
  Buffer<std::int32_t> columns(entries);
  Buffer<T> values(entries);
  std::copy_n(column_of_.data(), keep ? column_of_.size() : 0, columns.data());
  std::copy_n(by_row_.data(), keep ? by_row_.size() : 0, values.data());
  column_of_ = std::move(columns);
  by_row_ = std::move(values);
  if (!ordered_) return;
  row_of_.allocate(entries);
  by_column_.allocate(entries);
}

template <class T>
void SparseStore<T>::prepare(const ArrayView& view, const Selection& selection, Range rows) {
  first_row_ = rows.begin;
  count_ = rows.size();
  bad_row_ = -1;
  if (!view.sparse()) return take_dense(view, selection, rows);
  Index sum = 0;
  for (Index r = rows.begin; r < rows.end; ++r) {
    row_starts_[r - first_row_] = sum;
    if (r < selection.rows) sum += entries_of(view, selection.source(r)).size();
  }
  row_starts_[count_] = sum;
  if (sum > by_row_.size()) reserve(std::max(sum, most_entries(view, capacity_)), false);
}

template <class T>
void SparseStore<T>::take_dense(const ArrayView& view, const Selection& selection, Range rows) {
  dense_row_.reserve(columns_);
  Index sum = 0;
  for (Index r = rows.begin; r < rows.end; ++r) {
    row_starts_[r - first_row_] = sum;
    if (r >= selection.rows) continue;
    const T* x = dense_row_.data();
    gather_rows(view, selection, r, r + 1, dense_row_.data());
    const Index found = columns_ - std::count(x, x + columns_, T(0));
    if (sum + found > by_row_.size()) reserve(std::max(sum + found, 2 * by_row_.size()), true);
    for (Index k = 0; k < columns_; ++k) {
      if (x[k] == 0) continue;
      if (view.streamed && bad_row_ < 0 && x[k] * T(0) != 0) bad_row_ = r;
      column_of_[sum] = static_cast<std::int32_t>(k);
      by_row_[sum++] = x[k];
    }
  }
  row_starts_[count_] = sum;
}

template <class T>
void SparseStore<T>::gather(const ArrayView& view, const Selection& selection, Range rows) {
  if (!view.sparse()) return;
  for (Index r = rows.begin; r < std::min(rows.end, selection.rows); ++r) {
    const Index at = row_starts_[r - first_row_], count = row_starts_[r - first_row_ + 1] - at;
    // Were the matrix another one by now, there would still be so many entries to take.
    const Index begin = std::min(entries_of(view, selection.source(r)).begin, view.entries - count);
    read_columns(view, {begin, begin + count}, column_of_.data() + at);
    read_values(view, {begin, begin + count}, by_row_.data() + at);
  }
}

template <class T>
void SparseStore<T>::order(int threads) {
  constexpr Index kWorthThreads = 1 << 14;
  if (row_starts_[count_] + columns_ < kWorthThreads) threads = 1;
  if (threads == 1) return order_columns({0, columns_});
  parallel(threads, [&](int thread) { order_columns(share(columns_, thread, threads)); });
}

// Of some columns: theirs are the entries behind those of all columns before them.
template <class T>
void SparseStore<T>::order_columns(Range mine) {
  if (mine.size() == 0) return;
  const std::int32_t* const columns = column_of_.data();
  // Calls f(row, entry) for the entries of a row within these columns.
  const auto for_entries = [&](Index r, auto&& f) {
    const std::int32_t *begin = columns + row_starts_[r], *end = columns + row_starts_[r + 1];
    const std::int32_t* c = mine.begin == 0 ? begin : std::lower_bound(begin, end, mine.begin);
    const Index before = c - begin;
    for (; c < end && *c < mine.end; ++c) f(*c, c - columns);
    return before;
  };
  std::fill_n(column_ends_.data() + mine.begin, mine.size(), Index{0});
  Index next = 0;
  for (Index r = 0; r < count_; ++r)
    next += for_entries(r, [&](std::int32_t column, Index) { ++column_ends_[column]; });
  for (Index k = mine.begin; k < mine.end; ++k) {
    const Index n = column_ends_[k];
    column_ends_[k] = next;
    next += n;
  }
  for (Index r = 0; r < count_; ++r)
    for_entries(r, [&](std::int32_t column, Index entry) {
      const Index to = column_ends_[column]++;
      row_of_[to] = static_cast<std::int32_t>(r);
      by_column_[to] = by_row_[entry];
    });
}

template <class T>
SparseRows<T> SparseStore<T>::rows() const {
  return {row_starts_.data(), column_ends_.data(), column_of_.data(), row_of_.data(),
          by_row_.data(),     by_column_.data(),   first_row_};
}

template <class T>
std::size_t SparseStore<T>::bytes() const {
  return row_starts_.bytes() + column_ends_.bytes() + column_of_.bytes() + row_of_.bytes() +
         by_row_.bytes() + by_column_.bytes() + dense_row_.bytes();
}

template <class T>
SparsePorts<T>::SparsePorts() = default;
template <class T>
SparsePorts<T>::~SparsePorts() = default;

template <class T>
void SparsePorts<T>::make(const Graph& graph, Index capacity, bool by_column) {
  graph_ = &graph;
  stores_ = std::make_unique<SparseStore<T>[]>(graph.ports.size());
  rows_.resize(static_cast<std::size_t>(graph.value_count()));
  for (std::size_t p = 0; p < graph.ports.size(); ++p)
    if (graph.ports[p].sparse) stores_[p].make(graph.ports[p].value.width, capacity, by_column);
}

template <class T>
void SparsePorts<T>::prepare(const std::vector<ArrayView>& inputs, const Selection& selection,
                             Range rows) {
  for (std::size_t p = 0; p < graph_->ports.size(); ++p) {
    if (!graph_->ports[p].sparse) continue;
    stores_[p].prepare(inputs[p], selection, rows);
    rows_[static_cast<std::size_t>(graph_->ports[p].value.id)] = stores_[p].rows();
  }
}

template <class T>
void SparsePorts<T>::gather(const std::vector<ArrayView>& inputs, const Selection& selection,
                            Range rows) {
  for (std::size_t p = 0; p < graph_->ports.size(); ++p)
    if (graph_->ports[p].sparse) stores_[p].gather(inputs[p], selection, rows);
}

template <class T>
void SparsePorts<T>::order(int threads) {
  for (std::size_t p = 0; p < graph_->ports.size(); ++p)
    if (graph_->ports[p].sparse) stores_[p].order(threads);
}

template <class T>
Index SparsePorts<T>::bad_row() const {
  Index first = -1;
  for (std::size_t p = 0; p < graph_->ports.size(); ++p)
    if (const Index r = stores_[p].bad_row(); r >= 0 && (first < 0 || r < first)) first = r;
  return first;
}

template <class T>
std::size_t SparsePorts<T>::bytes() const {
  std::size_t sum = 0;
  for (std::size_t p = 0; p < graph_->ports.size(); ++p) sum += stores_[p].bytes();
  return sum;
}

template <class T>
std::unique_ptr<SparsePorts<T>[]> sparse_ports(const Graph& graph, int count, Index capacity,
                                               bool by_column) {
  if (std::none_of(graph.ports.begin(), graph.ports.end(), [](const Port& p) { return p.sparse; }))
    return nullptr;
  auto out = std::make_unique<SparsePorts<T>[]>(static_cast<std::size_t>(count));
  for (int i = 0; i < count; ++i) out[static_cast<std::size_t>(i)].make(graph, capacity, by_column);
  return out;
}

template class SparseStore<float>;
template class SparseStore<double>;
template class SparsePorts<float>;
template class SparsePorts<double>;
template std::unique_ptr<SparsePorts<float>[]> sparse_ports<float>(const Graph&, int, Index, bool);
template std::unique_ptr<SparsePorts<double>[]> sparse_ports<double>(const Graph&, int, Index,
                                                                     bool);

}  // namespace lamina
