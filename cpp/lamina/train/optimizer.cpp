#include "lamina/train/optimizer.hpp"

#include <algorithm>

namespace lamina {
namespace {

// Sums run over chunks of this many elements, chunks in order.
constexpr Index kNormChunk = 4096;

}  // namespace

template <class T>
Slots<T> Slots<T>::copy() const {
  Slots out;
  for (int k = 0; k < kMaxSlots; ++k) out.slot[k].copy_from(slot[k]);
  out.accumulated.copy_from(accumulated);
  out.average.copy_from(average);
  out.start = start;
  out.since = since;
  out.size = size;
  return out;
}
template struct Slots<float>;
template struct Slots<double>;

std::vector<Index> layout_of(const Model& model) {
  return {static_cast<Index>(reinterpret_cast<std::uintptr_t>(&model))};
}

void Optimizer::reset() {
  require_free("optimizer.reset");
  iterations = collected = epoch = planned_steps = planned_epochs = 0;
  layout_.clear();
  rate_scale = 1;
  slots_f_ = {};
  slots_d_ = {};
}

template <>
Slots<float>& Optimizer::slots<float>() {
  return slots_f_;
}
template <>
Slots<double>& Optimizer::slots<double>() {
  return slots_d_;
}

void Optimizer::require_free(const char* call) const {
  if (in_fit) throw StateError(concat(call, ": a fit is using the optimizer's state"));
}

template <class T>
void Optimizer::follow(const ParameterTable& table, const T* weights) {
  Slots<T>& s = slots<T>();
  if (s.average.empty()) return;
  for (const Tensor& t : table.tensors)
    if (!t.trainable) std::copy_n(weights + t.offset, t.size, s.average.data() + t.offset);
}

Index place_state(const ParameterTable& table, std::vector<Index>& start) {
  Index size = 0;
  start.assign(table.tensors.size(), -1);
  for (std::size_t i = 0; i < start.size(); ++i) {
    if (!table.tensors[i].trainable) continue;
    start[i] = size;
    size += round_up(table.tensors[i].size, 16);
  }
  return size;
}

template <class T>
void Optimizer::prepare(const ParameterTable& table, const T* weights,
                        const std::vector<Index>& layout) {
  Slots<T>& s = slots<T>();
  const Index size = place_state(table, place_);
  if (s.size == table.size && layout_ == layout && s.start == place_) return;
  require(s.empty() || layout_.empty() || (s.size == table.size && layout_ == layout),
          "the optimizer's state belongs to other arrays or another model: use one optimizer for "
          "each (copy.deepcopy), or reset()");
  layout_ = layout;
  if (s.size == table.size && s.start == place_) return;  // loaded from a file
  const auto& kernels = optimizer_kernels<T>(settings.method.index);
  const double* parameters = settings.method.parameters.data();
  const auto renew = [&](Buffer<T>& buffer, double initial) {
    Buffer<T> next(size);
    std::fill_n(next.data(), size, T(initial));
    for (std::size_t i = 0; i < place_.size() && !buffer.empty(); ++i)
      if (place_[i] >= 0 && s.start[i] >= 0)
        std::copy_n(buffer.data() + s.start[i], table.tensors[i].size, next.data() + place_[i]);
    buffer = std::move(next);
  };
  for (int k = 0; k < kMaxSlots; ++k)
    if (settings.uses<T>(k))
      renew(s.slot[k], k == 0 && kernels.initial_slot_parameter >= 0
                           ? parameters[kernels.initial_slot_parameter]
                           : 0);
  if (settings.accumulates()) renew(s.accumulated, 0);
  if (settings.use_ema && s.average.empty()) {
    s.average.allocate(table.size);
    std::copy_n(weights, table.size, s.average.data());
  }
  s.since.resize(place_.size());
  for (std::size_t i = 0; i < place_.size(); ++i)
    if (place_[i] < 0)
      s.since[i] = 0;
    else if (s.empty() || s.start[i] < 0)
      s.since[i] = iterations;
  s.size = table.size;
  s.start = place_;
}

template <class T>
void accumulate(const Optimizer& optimizer, Slots<T>& slots, const ParameterTable& table,
                const Tensor& tensor, Index offset, Index n, const T* g) {
  const Index start = slots.start[static_cast<std::size_t>(&tensor - table.tensors.data())];
  T* sum = slots.accumulated.data() + start + (offset - tensor.offset);
  if (optimizer.collected == 0) {
    std::copy_n(g, n, sum);
    return;
  }
  for (Index i = 0; i < n; ++i) sum[i] += g[i];
}

template <class T>
void Optimizer::step_all(const ParameterTable& table, T* weights, const T* gradients) {
  const bool due = step_is_due();
  step_by(
      table, weights, gradients,
      [&] {
        if (!settings.accumulates()) return;
        for (const Tensor& t : table.tensors)
          if (t.trainable)
            accumulate(*this, slots<T>(), table, t, t.offset, t.size, gradients + t.offset);
      },
      [&](Update<T>& update) {
        bool good = true;
        for (const Tensor& t : table.tensors)
          if (t.trainable) good &= update.apply(t, t.offset, t.size, update.stored(t, t.offset));
        return good;
      },
      [](Update<T>& update) { update.constrain(0, 1); });
  if (due) follow(table, weights);
}

template <class T>
void Optimizer::update(const std::vector<T*>& parameters, const std::vector<const T*>& gradients,
                       const std::vector<Index>& sizes) {
  ParameterTable table;
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    Tensor tensor;
    tensor.name = std::to_string(i);
    tensor.shape = {sizes[i]};
    table.add(tensor);
  }
  // The arrays lie anywhere; the kernel works on flat copies with the table's layout.
  Buffer<T> p(table.size), g(table.size);
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    std::copy_n(parameters[i], sizes[i], p.data() + table.tensors[i].offset);
    std::copy_n(gradients[i], sizes[i], g.data() + table.tensors[i].offset);
  }
  require_free("optimizer.update");
  const FlushDenormals flush;
  prepare(table, p.data(), sizes);
  step_all(table, p.data(), g.data());
  for (std::size_t i = 0; i < sizes.size(); ++i)
    std::copy_n(p.data() + table.tensors[i].offset, sizes[i], parameters[i]);
}

void Optimizer::step(Model& model) {
  require_free("optimizer.step");
  if (!model.has_gradients())
    throw StateError(
        "optimizer.step: the model has no gradients yet; call model.backward(...) or "
        "trainer.compute_gradients(X, y) first");
  const Model::Guard guard(model);
  const FlushDenormals flush;
  const ParameterTable& table = model.graph().parameters;
  const auto run = [&]<class T>(ModelOf<T>& net) {
    prepare(table, net.weights(), layout_of(model));
    step_all(table, net.weights(), net.stored_gradients());
  };
  if (auto* f = dynamic_cast<ModelOf<float>*>(&model))
    run(*f);
  else
    run(static_cast<ModelOf<double>&>(model));
}

template <class T>
Update<T>::Update(Optimizer& optimizer, const ParameterTable& table, T* parameters,
                  const T* gradients)
    : settings_(optimizer.settings),
      of_step_(optimizer.follow_schedules()),
      table_(table),
      parameters_(parameters),
      gradients_(gradients),
      slots_(optimizer.slots<T>()),
      rate_(optimizer.begin_step()),
      scalars_(optimizer.scalars),
      clip_(optimizer.clip) {
  const auto& kernels = optimizer_kernels<T>(settings_.method.index);
  const double* parameters_of = of_step_.parameters.data();
  proportional_ = kernels.proportional(parameters_of);
  // A mean that began later than others has its own bias to correct.
  scalars_.resize(slots_.since.size());
  for (std::size_t i = 0; i < scalars_.size(); ++i)
    if (i > 0 && slots_.since[i] == slots_.since[i - 1])
      scalars_[i] = scalars_[i - 1];
    else
      kernels.prepare(parameters_of, rate_, optimizer.iterations - slots_.since[i] + 1,
                      scalars_[i].data());
}

template <class T>
UpdateRange<T> Update<T>::range(const Tensor& tensor, Index offset, Index n, const T* g) const {
  UpdateRange<T> r;
  r.p = parameters_ + offset;
  r.g = g;
  for (int k = 0; k < kMaxSlots; ++k)
    if (!slots_.slot[k].empty()) r.slot[k] = slots_.slot[k].data() + offset + shift(tensor);
  if (!slots_.average.empty() && tensor.constraint.none())
    r.average = slots_.average.data() + offset;
  r.n = n;
  r.scalars = scalars_[place(tensor)].data();
  r.proportional = proportional_;
  r.rate_multiplier = tensor.rate_multiplier;
  r.gradient_scale = gradient_scale();
  r.l2 = tensor.penalty.l2;
  r.l1 = tensor.penalty.l1;
  r.proximal = tensor.penalty.proximal;
  const double rate = rate_ * tensor.rate_multiplier;
  r.threshold = r.proximal ? rate * r.l1 : 0;
  r.decay = rate * of_step_.weight_decay * tensor.decay_multiplier;
  r.clip_value = std::isnan(settings_.clipvalue) ? kInfinity : settings_.clipvalue;
  r.average_momentum = settings_.ema_momentum;
  return r;
}

template <class T>
bool Update<T>::apply(const Tensor& tensor, Index offset, Index n, const T* g) const {
  UpdateRange<T> r = range(tensor, offset, n, g);
  if (clips_) r.clip_scale = clip_[place(tensor)];
  return optimizer_kernels<T>(settings_.method.index).update(r);
}

template <class T>
const T* Update<T>::stored(const Tensor& tensor, Index offset) const {
  if (settings_.accumulates()) return slots_.accumulated.data() + offset + shift(tensor);
  return gradients_ + offset;
}

template <class T>
void Update<T>::constrain(int share, int shares) const {
  for (const Tensor& t : table_.tensors) {
    if (t.constraint.none() || !t.trainable) continue;
    if (t.role == Role::table) {  // each category's vector
      const Range rows = lamina::share(t.rows(), share, shares);
      for (Index r = rows.begin; r < rows.end; ++r)
        constrain_columns(t, t.offset + r * t.columns(), t.columns(), 1, 0);
      continue;
    }
    const bool matrix = t.shape.size() > 1;
    const Index rows = matrix ? t.shape[0] : t.size, columns = t.size / rows;
    const Range blocks =
        lamina::share((columns + kConstrainedColumns - 1) / kConstrainedColumns, share, shares);
    for (Index b = blocks.begin * kConstrainedColumns;
         b < std::min(columns, blocks.end * kConstrainedColumns); b += kConstrainedColumns) {
      constrain_columns(t, t.offset, rows, columns, b);
    }
  }
}

// Columns from `begin` on of the matrix (rows, columns) at `offset`, and their average.
template <class T>
void Update<T>::constrain_columns(const Tensor& t, Index offset, Index rows, Index columns,
                                  Index begin) const {
  lamina::constrain(t.constraint, rows, columns, begin, parameters_ + offset);
  if (slots_.average.empty()) return;
  const T rate = T(1 - settings_.ema_momentum);
  for (Index r = 0; r < rows; ++r)
    for (Index j = begin; j < std::min(columns, begin + kConstrainedColumns); ++j) {
      T& average = slots_.average[offset + r * columns + j];
      average = std::fma(rate, parameters_[offset + r * columns + j] - average, average);
    }
}

template <class T>
std::array<Prefetch, 4> Update<T>::soon(const Tensor& tensor, Index offset, Index n) const {
  std::array<Prefetch, 4> out;
  std::size_t count = 0;
  const auto add = [&](const T* data) {
    if (count < out.size()) out[count++] = Prefetch(data, 1, n, n);
  };
  add(parameters_ + offset);
  for (const Buffer<T>& slot : slots_.slot)
    if (!slot.empty()) add(slot.data() + offset + shift(tensor));
  if (!slots_.average.empty()) add(slots_.average.data() + offset);
  return out;
}

template <class T>
void Update<T>::measure_norms() {
  const FlushDenormals flush;  // as within a region
  clips_ = true;
  clip_.assign(table_.tensors.size(), 1);
  double total = 0;
  for (std::size_t i = 0; i < table_.tensors.size(); ++i) {
    const Tensor& t = table_.tensors[i];
    if (!t.trainable) continue;
    double sum = 0;
    for (Index j = 0; j < t.size; j += kNormChunk)
      sum += squared_norm(
          range(t, t.offset + j, std::min(kNormChunk, t.size - j), stored(t, t.offset + j)));
    total += sum;
    const double norm = std::sqrt(sum);
    if (!std::isnan(settings_.clipnorm) && norm > settings_.clipnorm)
      clip_[i] = settings_.clipnorm / norm;
  }
  const double norm = std::sqrt(total);
  if (!std::isnan(settings_.global_clipnorm) && norm > settings_.global_clipnorm)
    std::fill(clip_.begin(), clip_.end(), settings_.global_clipnorm / norm);
}

template class Update<float>;
template class Update<double>;
template void accumulate<float>(const Optimizer&, Slots<float>&, const ParameterTable&,
                                const Tensor&, Index, Index, const float*);
template void accumulate<double>(const Optimizer&, Slots<double>&, const ParameterTable&,
                                 const Tensor&, Index, Index, const double*);
template void Optimizer::prepare<float>(const ParameterTable&, const float*,
                                        const std::vector<Index>&);
template void Optimizer::prepare<double>(const ParameterTable&, const double*,
                                         const std::vector<Index>&);
template void Optimizer::follow<float>(const ParameterTable&, const float*);
template void Optimizer::follow<double>(const ParameterTable&, const double*);
template void Optimizer::update<float>(const std::vector<float*>&, const std::vector<const float*>&,
                                       const std::vector<Index>&);
template void Optimizer::update<double>(const std::vector<double*>&,
                                        const std::vector<const double*>&,
                                        const std::vector<Index>&);

}  // namespace lamina
