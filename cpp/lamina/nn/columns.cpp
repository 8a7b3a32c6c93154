#include "lamina/nn/columns.hpp"

#include <cmath>
#include <mutex>

namespace lamina {
namespace {

constexpr Index kBlocks = 1024;             // whose moments are held at a time
constexpr Index kNumbers = Index{1} << 23;  // of columns held at a time

PlanOptions before(const OpBase& op) {
  PlanOptions options;
  options.outputs = op.inputs;
  options.wide_outputs = true;
  return options;
}

}  // namespace

template <class T>
ColumnsOf<T>::ColumnsOf(const Graph& graph, const OpBase& op, const Batch& batch,
                        const T* parameters, int some_threads)
    : Columns(batch.rows, op.inputs[0].width, some_threads),
      batch_(batch),
      parameters_(parameters),
      op_(op),
      plan_(graph, before(op)),
      space_(plan_, kBlock, kBlock, some_threads),
      converted_(static_cast<std::size_t>(some_threads)) {}

template <class T>
void ColumnsOf<T>::read(Range part, const std::int64_t* index, const Use& use) const {
  // Row r of the part in the arrays: the selection's own index comes in between.
  std::vector<std::int64_t> rows_of;
  Batch batch = batch_;
  batch.rows = part.size();
  batch.following = 0;
  batch.first += part.begin;
  if (batch_.index) batch.index += part.begin;
  if (index)
    for (Index r = 0; r < part.size(); ++r) rows_of.push_back(batch_.source(index[r]));
  if (index) batch.index = rows_of.data();
  space_.begin(parameters_, batch, false, 0, {}, 0);
  const Index blocks = (batch.rows + kBlock - 1) / kBlock;
  const int used = static_cast<int>(std::min<Index>(threads(), blocks));
  std::vector<Index> bad(static_cast<std::size_t>(threads()),
                         -1);  // by thread: place in the part
  parallel(used, [&](int thread) {
    for (Index b = thread; b < blocks; b += used) {
      const Range rows{b * kBlock, std::min(batch.rows, (b + 1) * kBlock)};
      space_.enter_block(thread, rows);
      for (const Action& action : plan_.stages[0].actions) space_.act(action, thread, rows);
      const double* x = doubles(thread, rows.size());
      const Index place = first_bad(rows.size(), x);
      if (place >= 0) {
        bad[static_cast<std::size_t>(thread)] = rows.begin * columns() + place;
        break;
      }
      use(rows, x);
    }
  });
  Index first = -1;
  for (const Index place : bad)
    if (place >= 0 && (first < 0 || place < first)) first = place;
  if (first < 0) return;
  fail(op_.layer, ": column ", first % columns(),
       " of what it is to adapt to holds NaN or infinity in row ", batch.source(first / columns()),
       op_.flags.takes_missing ? ""
                               : "; if NaN stands for a missing value, put a lm.Impute() before");
}

// The values of the thread's block, one row after another.
template <class T>
const double* ColumnsOf<T>::doubles(int thread, Index rows) const {
  const Value value = plan_.outputs[0];
  if (const Rows<double>& wide = space_.wide(thread, value); wide.data) return wide.data;
  const T* x = space_.values(thread, value).data;
  if constexpr (std::is_same_v<T, double>) return x;
  Buffer<double>& copy = converted_[static_cast<std::size_t>(thread)];
  copy.reserve(kBlock * columns());
  for (Index i = 0; i < rows * columns(); ++i) copy[i] = static_cast<double>(x[i]);
  return copy.data();
}

template <class T>
Index ColumnsOf<T>::first_bad(Index rows, const double* x) const {
  const auto most = static_cast<double>(std::numeric_limits<T>::max());
  const bool missing = op_.flags.takes_missing;
  for (Index i = 0; i < rows * columns(); ++i)
    if (!(std::abs(x[i]) <= most || (missing && x[i] != x[i]))) return i;
  return -1;
}

template class ColumnsOf<float>;
template class ColumnsOf<double>;

Spread measure_spread(const Columns& data) {
  const auto n = static_cast<std::size_t>(data.columns());
  Spread all{ColumnMoments(data.columns()), std::vector<bool>(n, true)};
  std::vector<double> first(n);
  data.read({0, 1}, nullptr, [&](Range, const double* x) { std::copy_n(x, n, first.begin()); });
  constexpr Index part = kBlocks * Columns::kBlock;
  for (Index from = 0; from < data.rows(); from += part) {
    const Range rows{from, std::min(data.rows(), from + part)};
    std::vector<Spread> blocks(
        static_cast<std::size_t>((rows.size() + Columns::kBlock - 1) / Columns::kBlock), all);
    data.read(rows, nullptr, [&](Range block, const double* x) {
      Spread& own = blocks[static_cast<std::size_t>(block.begin / Columns::kBlock)];
      own.moments = ColumnMoments(data.columns());
      own.moments.add(x, block.size());
      for (std::size_t j = 0; j < n; ++j)
        for (Index r = 0; r < block.size() && own.constant[j]; ++r)
          own.constant[j] = x[r * data.columns() + static_cast<Index>(j)] == first[j];
    });
    for (const Spread& block : blocks) {
      all.moments.merge(block.moments);
      for (std::size_t j = 0; j < n; ++j) all.constant[j] = all.constant[j] && block.constant[j];
    }
  }
  return all;
}

std::vector<Index> count_missing(const Columns& data) {
  std::vector<Index> counts(static_cast<std::size_t>(data.columns()));
  std::mutex mutex;
  data.read({0, data.rows()}, nullptr, [&](Range rows, const double* x) {
    const std::lock_guard<std::mutex> lock(mutex);
    for (Index r = 0; r < rows.size(); ++r)
      for (std::size_t j = 0; j < counts.size(); ++j, ++x) counts[j] += *x != *x;
  });
  return counts;
}

void for_each_column(const Columns& data,
                     const std::function<void(Index, std::span<double>)>& use) {
  const Index n = std::min(data.rows(), kQuantileRows);
  std::vector<std::int64_t> sample;
  for (Index i = 0; n < data.rows() && i < n; ++i) sample.push_back(i * data.rows() / n);
  const Index group = std::clamp<Index>(kNumbers / n, 1, data.columns());
  Buffer<double> numbers(group * n);
  for (Index first = 0; first < data.columns(); first += group) {
    const Index count = std::min(group, data.columns() - first);
    data.read({0, n}, sample.empty() ? nullptr : sample.data(), [&](Range rows, const double* x) {
      for (Index r = rows.begin; r < rows.end; ++r, x += data.columns())
        for (Index j = 0; j < count; ++j) numbers[j * n + r] = x[first + j];
    });
    const int used = static_cast<int>(std::min<Index>(data.threads(), count));
    parallel(used, [&](int thread) {
      for (Index j = thread; j < count; j += used) {
        double* column = numbers.data() + j * n;
        const double* end = std::remove_if(column, column + n, [](double x) { return x != x; });
        use(first + j, {column, static_cast<std::size_t>(end - column)});
      }
    });
  }
}

double quantile(std::span<double> numbers, double share) {
  const double place = share * static_cast<double>(numbers.size() - 1), below = std::floor(place);
  const auto at = numbers.begin() + static_cast<std::ptrdiff_t>(below);
  std::nth_element(numbers.begin(), at, numbers.end());
  if (place == below) return *at;
  const double next = *std::min_element(at + 1, numbers.end());
  return *at + (next - *at) * (place - below);
}

}  // namespace lamina
