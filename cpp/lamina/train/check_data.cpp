// What a data set must be before anything changes: shapes, finite numbers, labels and targets that
// the loss can mean.
#include <algorithm>
#include <cmath>
#include <optional>

#include "lamina/base/sparse.hpp"
#include "lamina/train/objective.hpp"

namespace lamina {
namespace {

constexpr const char* kPutImpute =
    ": if that stands for a missing value, put a lm.Impute() layer first";
constexpr Index kNumbers = 2048;  // looked at together

// What messages call an array: a head's target, or X. Made only where there is a message.
struct Name {
  const Head* head = nullptr;
  bool several = false;  // heads
  std::string text() const { return !head ? "X" : several ? concat("y['", head->name, "']") : "y"; }
};

// Is every element finite as a T? `missing`: NaN, too, is fine.
template <class T, class S>
bool all_finite(Index n, const S* x, bool missing) {
  if (missing)
    return std::all_of(x, x + n, [](S value) {
      return value != value || std::abs(static_cast<T>(value)) <= std::numeric_limits<T>::max();
    });
  // Sums apart, so that they fill registers: 0 * inf and 0 * NaN are NaN.
  constexpr Index kSums = 32;
  T sums[kSums] = {};
  Index j = 0;
  for (; j + kSums <= n; j += kSums)
    for (Index i = 0; i < kSums; ++i) sums[i] += static_cast<T>(x[j + i]) * T(0);
  for (; j < n; ++j) sums[0] += static_cast<T>(x[j]) * T(0);
  T sum = 0;
  for (const T part : sums) sum += part;
  return sum == 0;
}

// The first of rows [begin, end) of `columns` with a NaN, an infinity or a number that T cannot
// hold, or -1; values(row, rows): so many from that on, one after another.
template <class T, class Values>
Index first_bad_row(Index columns, Index begin, Index end, bool missing, Values&& values) {
  const Index at_a_time = std::max<Index>(1, kNumbers / std::max<Index>(1, columns));
  for (Index r = begin; r < end; r += at_a_time) {
    const Index rows = std::min(at_a_time, end - r);
    const auto* x = values(r, rows);
    if (all_finite<T>(rows * columns, x, missing)) continue;
    for (Index i = 0; i < rows; ++i)
      if (!all_finite<T>(columns, x + i * columns, missing)) return r + i;
  }
  return -1;
}

template <class T>
Index first_bad_row(const ArrayView& view, Index begin, Index end, bool missing) {
  if (by_columns(view)) {  // the other way about, to know whether there is any
    ArrayView turned = view;
    turned.data = static_cast<const std::byte*>(view.data) + begin * view.row_stride;
    turned.rows = view.columns, turned.columns = end - begin;
    std::swap(turned.row_stride, turned.column_stride);
    if (!by_columns(turned) && first_bad_row<T>(turned, 0, turned.rows, missing) < 0) return -1;
  }
  const Index n = view.columns, size = view.dtype == DType::float32 ? 4 : 8;
  const bool direct = (view.dtype == DType::float32 || view.dtype == DType::float64) &&
                      view.row_stride == size * n && (view.column_stride == size || n == 1) &&
                      !view.swapped && reinterpret_cast<std::uintptr_t>(view.data) % size == 0;
  const auto search = [&](auto&& values) {
    return first_bad_row<T>(n, begin, end, missing, values);
  };
  if (direct && size == 4)
    return search([&](Index r, Index) { return static_cast<const float*>(view.data) + r * n; });
  if (direct)
    return search([&](Index r, Index) { return static_cast<const double*>(view.data) + r * n; });
  SmallBuffer<double, kNumbers> copy(std::max(n, std::min(kNumbers, n * (end - begin))));
  return search([&](Index r, Index rows) {
    gather_rows(view, Selection{nullptr, 0, view.rows}, r, r + rows, copy.data());
    return static_cast<const double*>(copy.data());
  });
}

// The same over all rows, on several threads.
template <class T>
Index first_bad_row(const ArrayView& view, int threads, bool missing) {
  if (view.dtype != DType::float32 && view.dtype != DType::float64 && view.dtype != DType::float16)
    return -1;
  // Waking threads costs more than reading a few million numbers.
  constexpr Index kWorthThreads = Index{1} << 24;
  threads = view.rows * view.columns < kWorthThreads ? 1 : threads;
  if (threads == 1) return first_bad_row<T>(view, 0, view.rows, missing);
  std::vector<Index> bad(static_cast<std::size_t>(threads), -1);
  parallel(threads, [&](int thread) {
    const Range mine = share(view.rows, thread, threads);
    bad[static_cast<std::size_t>(thread)] = first_bad_row<T>(view, mine.begin, mine.end, missing);
  });
  for (const Index r : bad)
    if (r >= 0) return r;
  return -1;
}

// `missing`: does NaN stand for a missing value? Unset: nobody is asked.
void refuse_bad_rows(const Name& what, DataType dtype, const ArrayView& view, int threads,
                     std::optional<bool> missing = {}) {
  const bool pass = missing.value_or(false);
  const bool narrow = dtype == DataType::float32;
  const ArrayView values = view.sparse() ? values_of(view) : view;
  const Index row = narrow ? first_bad_row<float>(values, threads, pass)
                           : first_bad_row<double>(values, threads, pass);
  if (row < 0) return;
  for (Index j = 0; j < values.columns; ++j) {
    const double x = read_element(values, row, j);
    if (pass && std::isnan(x)) continue;
    if (std::isfinite(x) && !(narrow && std::abs(x) > std::numeric_limits<float>::max())) continue;
    const Place place = view.sparse() ? place_of(view, row) : Place{row, j};
    fail(what.text(), ": column ", place.column, " holds ",
         std::isnan(x)   ? std::string("NaN")
         : std::isinf(x) ? "infinity"
                         : concat(x, ", too large for float32,"),
         " in row ", view.first_row + place.row, std::isnan(x) && missing ? kPutImpute : "");
  }
  fail(what.text(), ": row ", view.first_row + row, " holds a value that is not finite");
}

// Calls check(first row, rows, values) for all rows, some at a time.
template <class F>
void for_blocks(const ArrayView& y, F&& check) {
  const Index at_a_time = std::max<Index>(1, kNumbers / std::max<Index>(1, y.columns));
  SmallBuffer<double, kNumbers> block(at_a_time * y.columns);
  const Selection all{nullptr, 0, y.rows};
  for (Index first = 0; first < y.rows; first += at_a_time) {
    const Index end = std::min(y.rows, first + at_a_time);
    gather_rows(y, all, first, end, block.data());
    check(first, end - first, block.data());
  }
}

// Calls check(row, values) for all rows.
template <class F>
void for_each_row(const ArrayView& y, F&& check) {
  for_blocks(y, [&](Index first, Index rows, const double* values) {
    for (Index r = 0; r < rows; ++r) check(first + r, values + r * y.columns);
  });
}

bool is_label(double y, Index classes) {
  return (y >= 0) & (y < static_cast<double>(classes)) & (y == std::floor(y));
}

// A target, and what messages call it.
struct Checked {
  const Head& head;
  const ArrayView& y;
  Name name;
};

void check_labels(const Checked& c) {
  const Index classes = c.head.outputs;
  for_blocks(c.y, [&](Index first, Index rows, const double* y) {
    bool good = true;  // of all at first: a register at a time
    for (Index r = 0; r < rows; ++r) good &= is_label(y[r], classes);
    for (Index r = 0; r < rows && !good; ++r)
      require(is_label(y[r], classes), c.name.text(), ": label ", y[r], " in row ",
              c.y.first_row + first + r, " is not a whole number in 0 ... ", classes - 1,
              " (the model has ", classes, " outputs)");
  });
}

void check_numbers(const Checked& c) {
  const Head& h = c.head;
  for (const Measure& metric : h.metrics)
    if (metric_traits(metric.choice.index).needs_probabilities)
      for_each_row(c.y, [&](Index r, const double* row) {
        for (Index j = 0; j < c.y.columns; ++j)
          if (!(row[j] >= 0 && row[j] <= 1))
            fail(c.name.text(), ": ", metric.key, " expects targets between 0 and 1, got ", row[j],
                 " in row ", c.y.first_row + r);
      });
  if (h.custom || (h.traits.low == -kInfinity && h.traits.high == kInfinity)) return;
  for_each_row(c.y, [&](Index r, const double* row) {
    const auto admitted = [&](double y) { return h.traits.admits(y); };
    if (!std::all_of(row, row + c.y.columns, admitted))
      check_targets(c.name.text().c_str(), h.loss, h.traits, c.y.first_row + r, c.y.columns, row);
  });
}

void check_distributions(const Checked& c) {
  for_each_row(c.y, [&](Index r, const double* row) {
    double sum = 0;
    bool valid = true;
    for (Index j = 0; j < c.y.columns; ++j) sum += row[j], valid = valid && row[j] >= 0;
    if (!valid || !(std::abs(sum - 1) < 1e-3))
      fail(c.name.text(), ": row ", c.y.first_row + r,
           " is not a distribution over the classes (it sums to ", sum,
           "); give class numbers (n,) or rows that sum to 1");
  });
}

// Returns whether the target is one column of class numbers.
bool check_shape(const Checked& c, Index n) {
  if (c.y.rows != n) fail("X has ", n, " rows, ", c.name.text(), " has ", c.y.rows);
  const bool labels = c.head.takes_labels() && c.y.columns == 1;
  if (!labels && c.y.columns != c.head.targets)
    fail(c.name.text(), ": expected shape ", shape_text({n, c.head.targets}), ", got ",
         shape_text({c.y.rows, c.y.columns}));
  return labels;
}

void check_values(const Checked& c, bool labels, DataType dtype, int threads) {
  refuse_bad_rows(c.name, dtype, c.y, threads);
  if (labels)
    check_labels(c);
  else if (c.head.traits.targets == Targets::numbers)
    check_numbers(c);
  else
    check_distributions(c);
}

void check_weights(const Data& data, Index n) {
  if (data.weights.empty()) return;
  if (data.weights.rows != n || data.weights.columns != 1)
    fail("sample_weight: expected shape ", shape_text({n}), ", got ",
         shape_text({data.weights.rows, data.weights.columns}));
  double sum = 0;
  for (Index r = 0; r < n; ++r) {
    const double w = read_element(data.weights, r, 0);
    require(std::isfinite(w) && w >= 0,
            "sample_weight: expected finite numbers of at least 0, got ", w, " in row ",
            data.weights.first_row + r);
  }
  if (data.window) return;  // another may have some
  for (Index i = 0; i < data.rows(); ++i) sum += data.weight(data.source(i));
  require(sum > 0, "sample_weight: all weights are 0");
}

}  // namespace

void check_data(const Model& model, const Objective& o, Data& data, bool check_inputs,
                int threads) {
  const Index n = model.check_inputs(data.inputs);
  require(n > 0, "X has no rows");
  model.check_codes(data.inputs);  // of a memmap, too: codes are small
  for (const std::int64_t row : data.subset)
    require(row >= 0 && row < n, "row ", row, " is not in 0 ... ", n - 1);
  require(data.targets.size() == o.heads.size(), "expected ", o.heads.size(),
          " targets, one an output, got ", data.targets.size());
  data.labels.assign(o.heads.size(), false);
  const auto for_targets = [&](auto&& check) {
    for (std::size_t h = 0; h < o.heads.size(); ++h)
      if (o.heads[h].measured() || !data.targets[h].empty())
        check(h, Checked{o.heads[h], data.targets[h], {&o.heads[h], o.several()}});
  };
  for_targets([&](std::size_t h, const Checked& c) { data.labels[h] = check_shape(c, n); });
  check_weights(data, n);
  for_targets([&](std::size_t h, const Checked& c) {
    check_values(c, data.labels[h], model.dtype(), threads);
  });
  if (!check_inputs) return;
  for (std::size_t p = 0; p < data.inputs.size(); ++p) {
    const Port& port = model.graph().ports[p];
    if (data.inputs[p].streamed || port.codes) continue;
    refuse_bad_rows(Name{}, model.dtype(), data.inputs[p], threads,
                    takes_missing(model.graph(), port));
  }
}

}  // namespace lamina
