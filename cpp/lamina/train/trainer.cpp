#include "lamina/train/trainer.hpp"

#include <algorithm>
#include <cmath>

#include "lamina/base/philox.hpp"

namespace lamina {
namespace {

// A cheap mark of the data that an open epoch belongs to: shapes, and the target's bits.
std::uint64_t signature(const Data& data, Index batch_size, bool shuffle) {
  std::uint64_t hash = 1469598103934665603ull;
  const auto mix = [&](std::uint64_t x) { hash = (hash ^ x) * 1099511628211ull; };
  mix(static_cast<std::uint64_t>(data.rows()));
  mix(static_cast<std::uint64_t>(batch_size));
  mix(shuffle);
  for (const ArrayView& x : data.inputs) mix(static_cast<std::uint64_t>(x.columns));
  const Index step = std::max<Index>(1, data.rows() / 1024);
  for (Index r = 0; r < data.rows(); r += step)
    mix(std::bit_cast<std::uint64_t>(read_element(data.target, data.source(r), 0)));
  return hash;
}

Index flops(const Model& model) {
  Index sum = 0;
  for (const auto& op : model.graph().ops) sum += op->flops_per_row();
  return sum;
}

}  // namespace

// A step is forward, backward and the gradients, and the update of every weight, which is the most
// of it where there are large embeddings.
int training_threads(const Model& model, int requested, Index rows) {
  constexpr Index kUpdate = 8;  // in a weight's time, so many operations
  const Index update = kUpdate * model.graph().parameters.trainable_count();
  return worthwhile_threads(requested, rows, 3 * flops(model) + update / std::max<Index>(1, rows));
}

std::unique_ptr<Trainer> Trainer::create(std::shared_ptr<Model> model,
                                         std::shared_ptr<Optimizer> optimizer, const Json& loss,
                                         const Json& metrics, std::uint64_t seed,
                                         CustomLoss custom) {
  Objective objective = read_objective(*model, custom ? Json(nullptr) : loss, metrics);
  objective.custom = std::move(custom);
  std::unique_ptr<Trainer> trainer;
  if (auto* f = dynamic_cast<ModelOf<float>*>(model.get()))
    trainer = std::make_unique<TrainerOf<float>>(*f);
  else
    trainer = std::make_unique<TrainerOf<double>>(static_cast<ModelOf<double>&>(*model));
  trainer->objective_ = std::move(objective);
  trainer->state.seed = seed;
  trainer->optimizer = std::move(optimizer);
  trainer->model = std::move(model);
  return trainer;
}

void Trainer::check(Data data, int num_threads) const {
  check_data(*model, objective_, data, true, thread_count(num_threads));
}

bool Trainer::length_comes_from_fit() const {
  const auto open = [](const Scheduled* s) { return s && s->schedule().length_comes_from_fit(); };
  return optimizer->length_comes_from_fit() ||
         std::any_of(model->graph().ops.begin(), model->graph().ops.end(),
                     [&](const auto& op) { return open(op->scheduled()); });
}

// The first fit says how long schedules are; a later one may only do what is left of it.
void Trainer::plan_schedules(std::uint64_t steps, std::uint64_t epochs) {
  Optimizer& o = *optimizer;
  require(o.iterations == 0 ||
              (o.iterations + steps <= o.planned_steps && state.epoch + epochs <= o.planned_epochs),
          "the schedule's length came from the first fit, ", o.planned_steps,
          " steps, and is used up: give total_steps, or call trainer.reset()");
  if (o.iterations > 0) return;
  o.planned_steps = steps;
  o.planned_epochs = state.epoch + epochs;
}

template <class T>
void TrainerOf<T>::begin_fit(Data data, const FitOptions& options) {
  require(options.batch_size >= 1, "fit: batch_size must be at least 1, got ", options.batch_size);
  auto guard = std::make_unique<Model::Guard>(net_);
  check_data(net_, objective_, data, options.check_inputs, thread_count(options.num_threads));
  const Index n = data.rows();
  const Index batch = std::min(options.batch_size, n);
  const std::uint64_t mark = signature(data, options.batch_size, options.shuffle);
  const bool resumed = state.cursor > 0 && state.data_signature == mark;
  const std::uint64_t steps = options.epochs * static_cast<std::uint64_t>((n + batch - 1) / batch);
  if (!resumed && length_comes_from_fit())
    plan_schedules(std::max<std::uint64_t>(1, steps / optimizer->settings.accumulation),
                   options.epochs);
  Buffer<T> start;  // of the first fit, by data; it becomes the model's if nothing below fails
  if (net_.awaits_data())
    start = net_.learned_from(
        {{data.subset.empty() ? nullptr : data.subset.data(), 0, n}, &data.inputs},
        options.scheduling.exact_threads ? thread_count(options.num_threads)
                                         : looking_threads(net_, options.num_threads, n));
  // What a divergence in the first epoch goes back to.
  if (start.empty())
    snapshot();
  else
    net_.publish(start.data(), snapshot_);
  struct Unpublish {  // if the rest fails, nobody would end the fit
    ModelOf<T>* net;
    ~Unpublish() {
      if (net) net->unpublish();
    }
  } unless_begun{&net_};
  optimizer->in_fit = false;
  if (!raw_.empty()) {  // the last fit left the average in the model: go on from the weights
                        // beneath
    Slots<T>& s = optimizer->slots<T>();
    const bool ours = s.average.size() == raw_.size();
    if (ours && std::memcmp(net_.weights(), s.average.data(), raw_.bytes()) != 0)
      std::copy_n(net_.weights(), raw_.size(), s.average.data());  // the user's own: begin there
    else if (ours)
      for (const Tensor& t : net_.graph().parameters.tensors)
        if (t.trainable)  // what has been frozen stays as it is seen
          std::copy_n(raw_.data() + t.offset, t.size, net_.weights() + t.offset);
    raw_ = {};
  }
  make_ready(options, batch, start.empty() ? net_.weights() : start.data());
  data_ = std::move(data);
  options_ = options;
  if (!resumed) state.cursor = 0, state.open = {};
  state.data_signature = mark;
  order_epoch_ = ~0ull;
  optimizer->in_fit = true;
  std::copy_n(start.data(), start.size(), net_.weights());
  net_.set_awaits_data(false);
  guard_ = std::move(guard);
  unless_begun.net = nullptr;
}

template <class T>
int TrainerOf<T>::fit_threads(const FitOptions& options, Index batch) const {
  return options.scheduling.exact_threads ? thread_count(options.num_threads)
                                          : training_threads(net_, options.num_threads, batch);
}

// Places for the state of what is trainable now, and a runner that trains it.
template <class T>
void TrainerOf<T>::make_ready(const FitOptions& options, Index batch, const T* weights) {
  const int threads = fit_threads(options, batch);
  optimizer->prepare(net_.graph().parameters, weights, layout_of(net_));
  optimizer->follow(net_.graph().parameters, weights);
  if (runner_ && runner_version_ == net_.version() && runner_batch_ == batch &&
      runner_threads_ == threads && runner_scheduling_ == options.scheduling)
    return;
  runner_ = std::make_unique<StepRunner<T>>(net_, objective_, batch, threads, options.scheduling);
  runner_version_ = net_.version();
  runner_batch_ = batch;
  runner_threads_ = threads;
  runner_scheduling_ = options.scheduling;
}

// A permutation by Fisher and Yates, from (seed, epoch) alone.
template <class T>
void TrainerOf<T>::draw_order() {
  if (order_epoch_ == state.epoch) return;
  const Index n = data_.rows();
  order_.resize(static_cast<std::size_t>(n));
  for (Index i = 0; i < n; ++i) order_[static_cast<std::size_t>(i)] = data_.source(i);
  const Philox random(state.seed);
  constexpr Index kDraws = 2 * static_cast<Index>(Philox::kMany);
  Philox::Many words;
  for (Index draw = 0; draw < n - 1; draw += kDraws) {
    for (std::size_t k = 0; k < Philox::kMany; ++k) {
      const auto block = static_cast<std::uint64_t>(draw / 2) + k;
      const Philox::Block counter = Philox::counter(
          Stream::shuffle, 0, static_cast<std::uint32_t>(state.epoch),
          static_cast<std::uint32_t>(block >> 32), static_cast<std::uint32_t>(block));
      for (std::size_t w = 0; w < 4; ++w) words[w][k] = counter[w];
    }
    random(words);
    for (Index d = 0; d < std::min(kDraws, n - 1 - draw); ++d) {
      const Index i = n - 1 - draw - d;
      const auto k = static_cast<std::size_t>(d / 2), w = static_cast<std::size_t>(d % 2 * 2);
      const std::uint64_t word = (static_cast<std::uint64_t>(words[w][k]) << 32) | words[w + 1][k];
      // The high word of the product lies in 0 ... i; with 2^40 rows its bias is below 2^-24.
      std::swap(order_[static_cast<std::size_t>(i)],
                order_[multiply_high(word, static_cast<std::uint64_t>(i + 1))]);
    }
  }
  order_epoch_ = state.epoch;
}

// The rows in the order of training, or null for the arrays' own.
template <class T>
const std::int64_t* TrainerOf<T>::row_order() const {
  if (options_.shuffle) return order_.data();
  return data_.subset.empty() ? nullptr : data_.subset.data();
}

template <class T>
void TrainerOf<T>::snapshot() {
  net_.publish(evaluation_weights(), snapshot_);
}

template <class T>
void TrainerOf<T>::roll_back() {
  std::copy_n(snapshot_->data(), snapshot_->size(), net_.weights());
  optimizer->slots<T>() = {};  // they saw the non-finite gradient
  optimizer->collected = 0;
  optimizer->prepare(net_.graph().parameters, net_.weights(), layout_of(net_));
  state.cursor = 0;
  state.open = {};
}

template <class T>
EpochResult TrainerOf<T>::run_epoch(Monitor& monitor) {
  if (!guard_) throw StateError("run_epoch: begin_fit first");
  const Index n = data_.rows();
  if (options_.shuffle) draw_order();
  optimizer->epoch = state.epoch;
  EpochResult result;
  while (state.cursor < n) {
    if (runner_version_ != net_.version())
      make_ready(options_, runner_batch_, net_.weights());  // by a callback
    const Index rows = std::min(options_.batch_size, n - state.cursor);
    const Batch batch{{row_order() ? row_order() + state.cursor : nullptr, state.cursor, rows,
                       n - state.cursor - rows},
                      &data_.inputs};
    const StepResult step =
        runner_->run(batch, data_, optimizer.get(),
                     {state.seed, optimizer->clock(), optimizer->batches(), true}, monitor);
    if (step == StepResult::stopped) {
      result.end = EpochEnd::stopped;
      return result;
    }
    if (step == StepResult::bad_row) {
      const Index row = runner_->bad_row();
      fail("X: row ", row,
           " holds NaN or infinity; the weights are those of the last completed step");
    }
    if (step == StepResult::bad_loss || step == StepResult::bad_weight) {
      const std::string what = step == StepResult::bad_loss ? "the loss" : runner_->culprit();
      result.reason = concat(what, " became non-finite in step ", optimizer->iterations, " (epoch ",
                             state.epoch,
                             "); the weights are back at the last good epoch. Lower the learning "
                             "rate, or clip the gradient "
                             "(global_clipnorm=1.0)");
      roll_back();
      result.end = EpochEnd::diverged;
      return result;
    }
    state.cursor += batch.rows;
    if (step == StepResult::skipped) continue;  // all its weights are 0
    state.open.add(runner_->sums());
    if (monitor.on_batch && !monitor.on_batch(optimizer->iterations, runner_->sums()) &&
        state.cursor < n) {
      result.end = EpochEnd::stopped;
      return result;
    }
  }
  result.means = state.open.means(objective_);
  result.penalty =
      penalty() + (state.open.weight > 0 ? state.open.activity / state.open.weight : 0);
  state.cursor = 0;
  state.open = {};
  optimizer->epoch = ++state.epoch;
  snapshot();
  return result;
}

template <class T>
void TrainerOf<T>::end_fit() {
  if (!guard_) return;
  const auto guard = std::move(guard_);  // let go even if something fails
  optimizer->in_fit = false;
  use_average();
  net_.unpublish();
  data_ = {};
  if (runner_threads_ > 1) release_threads();
}

template <class T>
double TrainerOf<T>::penalty() const {
  double sum = 0;
  for (const Tensor& t : net_.graph().parameters.tensors) {
    if (t.penalty.l1 == 0 && t.penalty.l2 == 0) continue;
    double squares = 0, absolute = 0;
    for (Index i = 0; i < t.size; ++i) {
      const double w = net_.weights()[t.offset + i];
      squares += w * w;
      absolute += std::abs(w);
    }
    sum += t.penalty.l2 * squares + t.penalty.l1 * absolute;
  }
  return sum;
}

template <class T>
const T* TrainerOf<T>::evaluation_weights() const {
  const Slots<T>& s = optimizer->slots<T>();
  return fitting() && !s.average.empty() ? s.average.data() : net_.weights();
}

template <class T>
void TrainerOf<T>::use_average() {
  const Slots<T>& s = optimizer->slots<T>();
  if (s.average.empty()) return;
  const Index n = net_.graph().parameters.size;
  raw_.allocate(n);
  std::copy_n(net_.weights(), n, raw_.data());
  std::copy_n(s.average.data(), n, net_.weights());
}

template <class T>
TrainerOf<T>::Evaluation::Evaluation(const ModelOf<T>& model, const Objective& objective,
                                     Index rows, Index block, int threads)
    : version(model.version()),
      capacity(rows),
      plan(model.graph(), {.fuse = {objective.fused}}),
      space(plan, block, block, threads),
      runner(model, objective, rows, block, threads) {}

template <class T>
bool TrainerOf<T>::Evaluation::serves(const ModelOf<T>& model, Index rows, Index block,
                                      int threads) const {
  return version == model.version() && capacity >= rows && space.block() == block &&
         space.threads() >= threads;
}

// Another thread may be evaluating: this one then finds nothing kept and makes its own.
template <class T>
auto TrainerOf<T>::take_evaluation(Index rows, Index block, int threads)
    -> std::unique_ptr<Evaluation> {
  std::unique_ptr<Evaluation> kept;
  {
    const std::lock_guard<std::mutex> lock(evaluation_mutex_);
    kept = std::move(evaluation_);
  }
  if (kept && kept->serves(net_, rows, block, threads)) return kept;
  kept = nullptr;  // frees its memory before the next one's is taken
  return std::make_unique<Evaluation>(net_, objective_, rows, block, threads);
}

// Row losses and metrics of the batch, into e.runner, and its predictions if they are wanted.
template <class T>
void TrainerOf<T>::measure(Evaluation& e, const Batch& batch, const Data& data, int threads,
                           const std::function<void()>& tick, T* predictions) {
  const Index width = objective_.outputs;
  // A loss outside the core wants all predictions at once.
  if (objective_.custom) e.predictions.reserve(round_up(batch.rows, kRowStep) * width);
  {
    const typename ModelOf<T>::Reading reading(net_);
    e.space.begin(reading.weights(), batch, false, state.seed, {}, 0);
    run_inference(
        e.space, e.plan, batch.rows, e.space.block(), threads, tick, [&](int thread, Range rows) {
          const T* p = e.space.values(thread, e.plan.outputs[0]).row(rows.begin);
          if (objective_.custom)
            std::copy_n(p, rows.size() * width, e.predictions.data() + rows.begin * width);
          else
            e.runner.run(thread, rows, batch, data, p, nullptr, nullptr);
          const Index real = std::min(rows.end, batch.rows) - rows.begin;  // not the padding
          if (predictions && real > 0) e.runner.outputs(real, p, predictions + rows.begin * width);
        });
  }  // no fit waits for a loss outside the core
  const Index bad = e.space.bad_row();
  require(bad < 0, "X: row ", bad, " holds NaN or infinity");
  if (objective_.custom) e.runner.run_custom(batch, data, e.predictions.data(), nullptr, nullptr);
}

template <class T>
std::vector<double> TrainerOf<T>::evaluate(Data data, Index block_rows, int num_threads,
                                           const std::function<void()>& tick, void* predictions) {
  net_.require_adapted();
  check_data(net_, objective_, data, true, thread_count(num_threads));
  const Index n = data.rows();
  // It does not watch itself, as a prediction does: so only what is surely worth it.
  const int threads = worthwhile_threads(num_threads, n, flops(net_), 4e7);
  const Index block = round_up(std::clamp<Index>(block_rows, 1, std::min<Index>(n, 256)), kRowStep);
  std::unique_ptr<Evaluation> e = take_evaluation(n, block, threads);
  const Batch batch{{data.subset.empty() ? nullptr : data.subset.data(), 0, n}, &data.inputs};
  measure(*e, batch, data, threads, tick, static_cast<T*>(predictions));
  const bool weighted = !data.weights.empty();
  if (weighted) e->weights.reserve(n);
  for (Index r = 0; weighted && r < n; ++r) e->weights[r] = data.weight(data.source(r));
  e->runner.reduce(n, weighted ? e->weights.data() : nullptr, e->sums);
  std::vector<double> means = e->sums.means(objective_);
  const std::lock_guard<std::mutex> lock(evaluation_mutex_);
  evaluation_ = std::move(e);
  return means;
}

template <class T>
double TrainerOf<T>::compute_gradients(Data data, int num_threads) {
  const Model::Guard guard(net_);
  net_.require_adapted();
  check_data(net_, objective_, data, true, thread_count(num_threads));
  const Index n = data.rows();
  StepRunner<T> runner(net_, objective_, n, training_threads(net_, num_threads, n), {});
  Monitor nobody;
  const StepResult result =
      runner.run({{nullptr, 0, n}, &data.inputs}, data, optimizer.get(),
                 {state.seed, optimizer->clock(), optimizer->batches(), false}, nobody);
  require(result != StepResult::bad_row, "X: row ", runner.bad_row(), " holds NaN or infinity");
  require(result != StepResult::bad_loss, "compute_gradients: the loss is not finite");
  return runner.sums().values[0] / runner.sums().weight;
}

template <class T>
void TrainerOf<T>::keep_best(double value, std::uint64_t epoch) {
  const Index n = net_.graph().parameters.size;
  best_.reserve(n);
  std::copy_n(evaluation_weights(), n, best_.data());
  state.has_best = true;
  state.best_value = value;
  state.best_epoch = epoch;
}

template <class T>
bool TrainerOf<T>::restore_best() {
  if (!state.has_best || best_.empty()) return false;
  const auto guard = fitting() ? nullptr : std::make_unique<Model::Guard>(net_);
  raw_ = {};
  std::copy_n(best_.data(), best_.size(), net_.weights());
  Slots<T>& s = optimizer->slots<T>();
  if (!s.average.empty()) std::copy_n(best_.data(), best_.size(), s.average.data());
  if (fitting()) snapshot();  // predictions see them, too
  return true;
}

template <class T>
void TrainerOf<T>::reset() {
  if (fitting()) throw StateError("trainer.reset: a fit is running");
  const std::uint64_t seed = state.seed;
  optimizer->reset();
  state = {};
  state.seed = seed;
  best_ = {};
  raw_ = {};
  order_epoch_ = ~0ull;
}

template <class T>
std::size_t TrainerOf<T>::bytes() const {
  const Slots<T>& s = optimizer->slots<T>();
  std::size_t sum = best_.bytes() + raw_.bytes() + s.average.bytes() + s.accumulated.bytes() +
                    (runner_ ? runner_->bytes() : 0);
  for (const auto& slot : s.slot) sum += slot.bytes();
  const std::lock_guard<std::mutex> lock(evaluation_mutex_);
  if (evaluation_) sum += evaluation_->space.bytes();
  return sum + (snapshot_ ? snapshot_->bytes() : 0);
}

template class TrainerOf<float>;
template class TrainerOf<double>;

}  // namespace lamina
