#include "lamina/nn/observer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "lamina/base/rows.hpp"
#include "lamina/nn/ops/activation_op.hpp"

namespace lamina {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr double kMostRows = 0.9;  // in which a saturated unit lies near an end

// Whether no other layer lies within this one.
bool is_leaf(const std::vector<LayerRecord>& layers, std::size_t i) {
  return i + 1 == layers.size() || layers[i + 1].depth <= layers[i].depth;
}

}  // namespace

template <class T>
Observer<T>::Observer(const Plan& plan, Index rows, int threads)
    : rows_(rows), place_(plan.graph.ops.size(), -1) {
  const Graph& graph = plan.graph;
  const Index chunks = (rows + kRowStep - 1) / kRowStep;
  for (std::size_t i = 0; i < graph.layers.size(); ++i) {
    const LayerRecord& layer = graph.layers[i];
    if (!is_leaf(graph.layers, i)) continue;
    const auto& run = plan.running();
    const auto last = std::find_if(run.rbegin(), run.rend(), [&](int op) {
      return op >= layer.ops.begin && op < layer.ops.end;
    });
    if (last == run.rend()) continue;  // only training needs it, or it only gives rows a shape
    const auto& op = *graph.ops[static_cast<std::size_t>(*last)];
    Watched w{layer.name, op.output.width, units_, static_cast<Index>(chunks_.size()), {}, 0,
              false};
    if (const auto* f = dynamic_cast<const ActivationOp<T>*>(&op)) w.ends = ends_of(f->choice);
    w.has_ends = !std::isnan(w.ends.one());
    w.output = std::any_of(graph.outputs.begin(), graph.outputs.end(), [&](Value out) {
      return std::any_of(layer.outputs.begin(), layer.outputs.end(),
                         [&](Value mine) { return mine.id == out.id; });
    });
    place_[static_cast<std::size_t>(*last)] = static_cast<int>(watched_.size());
    units_ += w.width;
    chunks_.resize(chunks_.size() + static_cast<std::size_t>(chunks));
    watched_.push_back(std::move(w));
  }
  at_end_.assign(static_cast<std::size_t>(threads),
                 std::vector<T>(static_cast<std::size_t>(units_)));
}

// A chunk's rows are seen by one thread, one after the other.
template <class T>
void Observer<T>::note(int thread, const Watched& w, Range rows, const T* y) {
  const bool both = w.ends.both();
  const Vec<T> low(static_cast<T>(both ? w.ends.low : w.ends.one())),
      high(static_cast<T>(both ? w.ends.high : w.ends.one())), near(static_cast<T>(w.ends.near));
  const Vec<T> zero(T(0)), one(T(1));
  T* count = at_end_[static_cast<std::size_t>(thread)].data() + w.first_unit;
  for (Index begin = rows.begin; begin < rows.end; begin += kRowStep) {
    const Vec<T> shift(*y);  // numbers far from 0 keep their digits
    const Index end = std::min(rows.end, begin + kRowStep);
    LaneSums sum, squares;
    for (Index r = begin; r < end; ++r, y += w.width)
      for_packets<T>(w.width, [&](auto part, Index j, Index lane) {
        const Vec<T> v = part.load(y + j), off = part.keep(v - shift, zero);
        sum.take(off, lane, [](Vec<double> x, Vec<double> s) { return s + x; });
        squares.take(off, lane, [](Vec<double> x, Vec<double> s) { return fma(x, x, s); });
        if (!w.has_ends) return;
        const Vec<T> away = min(abs(v - low), abs(v - high));
        part.store(part.load(count + j) + select(less(near, away), zero, one), count + j);
      });
    const double n = static_cast<double>((end - begin) * w.width), total = sum.total();
    chunks_[static_cast<std::size_t>(w.first_chunk + begin / kRowStep)] = {
        n, static_cast<double>(y[(begin - end) * w.width]) + total / n,
        std::max(0.0, squares.total() - total * total / n)};
  }
}

// Of units that lie at an end in at least such a share of the rows.
template <class T>
double Observer<T>::share_at_ends(const Watched& w, double of_rows) const {
  Index units = 0;
  for (Index j = w.first_unit; j < w.first_unit + w.width; ++j) {
    double count = 0;
    for (const auto& mine : at_end_)
      count += static_cast<double>(mine[static_cast<std::size_t>(j)]);
    units += count >= of_rows * static_cast<double>(rows_);
  }
  return static_cast<double>(units) / static_cast<double>(w.width);
}

template <class T>
LayerStatistics Observer<T>::of(const Watched& w) const {
  Chunk all;  // chunks in order, as Chan, Golub & LeVeque (1979) put two together
  const Index chunks = (rows_ + kRowStep - 1) / kRowStep;
  for (Index i = w.first_chunk; i < w.first_chunk + chunks; ++i) {
    const Chunk& next = chunks_[static_cast<std::size_t>(i)];
    const double n = all.count + next.count, off = next.mean - all.mean;
    all.squares += next.squares + off * off * all.count * next.count / n;
    all.mean += off * next.count / n;
    all.count = n;
  }
  const double spread = std::sqrt(all.squares / all.count);
  const bool both = w.ends.both(), one = !both && w.has_ends;
  // An output at its ends is sure of its class.
  return {w.layer, all.mean, spread, one ? share_at_ends(w, 1) : kNaN,
          both && !w.output ? share_at_ends(w, kMostRows) : kNaN};
}

template <class T>
std::vector<LayerStatistics> Observer<T>::statistics() const {
  std::vector<LayerStatistics> out;
  for (const Watched& w : watched_) out.push_back(of(w));
  return out;
}

template class Observer<float>;
template class Observer<double>;

}  // namespace lamina
