#include "lamina/train/evaluator.hpp"

#include <algorithm>
#include <optional>

namespace lamina {
namespace {

constexpr Index kBlock = 256;        // most rows that a thread takes at a time
constexpr double kWorthwhile = 4e7;  // operations of a thread

}  // namespace

Index forward_flops(const Model& model) {
  Index sum = 0;
  for (const auto& op : model.graph().ops) sum += op->flops_per_row();
  return sum;
}

template <class T>
Evaluator<T>::Space::Space(const ModelOf<T>& model, const Objective& objective, Index rows,
                           Index block, int threads)
    : version(model.version()),
      capacity(rows),
      plan(model.graph(), {.fuse = objective.fused()}),
      space(plan, block, block, threads),
      runners(lamina::runners<T>(objective, rows, block, threads)),
      predictions(objective.heads.size()) {}

template <class T>
std::size_t Evaluator<T>::Space::bytes() const {
  std::size_t sum = space.bytes() + weights.bytes();
  for (const auto& runner : runners) sum += runner.bytes();
  for (const auto& one : predictions) sum += one.bytes();
  return sum;
}

template <class T>
bool Evaluator<T>::Space::serves(const ModelOf<T>& model, Index rows, Index block,
                                 int threads) const {
  return version == model.version() && capacity >= rows && space.block() == block &&
         space.threads() >= threads;
}

// Another thread may be evaluating: this one then finds nothing kept and makes its own.
template <class T>
auto Evaluator<T>::take(Index rows, Index block, int threads) -> std::unique_ptr<Space> {
  std::unique_ptr<Space> kept;
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    kept = std::move(kept_);
  }
  if (kept && kept->serves(model_, rows, block, threads)) return kept;
  kept = nullptr;  // frees its memory before the next one's is taken
  return std::make_unique<Space>(model_, objective_, rows, block, threads);
}

// What is done with the outputs of a row block.
template <class T>
void Evaluator<T>::measure_block(Space& s, int thread, Range rows, const Batch& batch,
                                 const Data& data, const std::vector<T*>& predictions) {
  const Index real = std::min(rows.end, batch.rows) - rows.begin;  // not the padding
  for (std::size_t h = 0; h < objective_.heads.size(); ++h) {
    const Index width = objective_.heads[h].outputs;
    const T* p = s.space.values(thread, s.plan.outputs[h]).row(rows.begin);
    if (objective_.heads[h].custom)
      std::copy_n(p, rows.size() * width, s.predictions[h].data() + rows.begin * width);
    else
      s.runners[h].run(thread, rows, batch, data, p, {});
    if (predictions[h] && real > 0)
      s.runners[h].outputs(real, p, predictions[h] + rows.begin * width);
  }
}

// Row losses and metrics of the batch, into s.runners, and its predictions if they are wanted.
template <class T>
void Evaluator<T>::measure(Space& s, const Batch& batch, const Data& data, int threads,
                           std::uint64_t seed, const std::function<void(Index)>& tick,
                           const std::vector<T*>& predictions, const T* weights) {
  const std::vector<Head>& heads = objective_.heads;
  for (std::size_t h = 0; h < heads.size(); ++h)
    if (heads[h].custom)  // it wants all predictions at once
      s.predictions[h].reserve(round_up(batch.rows, kRowStep) * heads[h].outputs);
  {
    const typename ModelOf<T>::Reading reading(model_);
    s.space.begin(weights ? weights : reading.weights(), batch, false, seed, {}, 0);
    run_inference(
        s.space, s.plan, batch.rows, s.space.block(), threads, tick,
        [&](int thread, Range rows) { measure_block(s, thread, rows, batch, data, predictions); });
  }  // no fit waits for a loss outside the core
  const Index bad = s.space.bad_row();
  require(bad < 0, "X: row ", bad, " holds NaN or infinity");
  for (std::size_t h = 0; h < heads.size(); ++h)
    if (heads[h].custom) s.runners[h].run_batch(batch, data, s.predictions[h].data(), {});
}

template <class T>
std::vector<double> Evaluator<T>::run(const Data& data, Index block_rows, int num_threads,
                                      std::uint64_t seed, const std::function<void(Index)>& tick,
                                      const std::vector<T*>& predictions, const T* weights,
                                      Sums* running, std::vector<LayerStatistics>* layers) {
  const Index n = data.rows();
  // It does not watch itself, as a prediction does: so only what is surely worth it.
  const int threads = worthwhile_threads(num_threads, n, forward_flops(model_), kWorthwhile);
  const Index block = round_up(std::clamp<Index>(block_rows, 1, std::min(n, kBlock)), kRowStep);
  std::unique_ptr<Space> s = take(n, block, threads);
  const Batch batch{{data.subset.empty() ? nullptr : data.subset.data(), 0, n}, &data.inputs};
  std::optional<Observer<T>> observer;
  if (layers) s->space.observer = &observer.emplace(s->plan, n, threads);
  measure(*s, batch, data, threads, seed, tick, predictions, weights);
  s->space.observer = nullptr;  // if it throws, nobody keeps the space
  if (layers) *layers = observer->statistics();
  const bool weighted = !data.weights.empty();
  if (weighted) s->weights.reserve(n);
  for (Index r = 0; weighted && r < n; ++r) s->weights[r] = data.weight(data.source(r));
  Sums& sums = running ? *running : s->sums;
  reduce(s->runners, objective_, n, weighted ? s->weights.data() : nullptr, sums, running);
  std::vector<double> means = sums.means(objective_);
  const std::lock_guard<std::mutex> lock(mutex_);
  kept_ = std::move(s);
  return means;
}

template <class T>
std::size_t Evaluator<T>::bytes() const {
  const std::lock_guard<std::mutex> lock(mutex_);
  return kept_ ? kept_->bytes() : 0;
}

template <class T>
std::size_t Evaluator<T>::bytes_for(Index rows, int num_threads) const {
  const std::size_t held = bytes();
  if (held > 0 || rows <= 0) return held;
  const int threads = worthwhile_threads(num_threads, rows, forward_flops(model_), kWorthwhile);
  const Index block = round_up(std::min(rows, kBlock), kRowStep);
  return Space(model_, objective_, rows, block, threads).bytes();
}

template class Evaluator<float>;
template class Evaluator<double>;

}  // namespace lamina
