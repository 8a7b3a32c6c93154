#include "lamina/train/optimizer.hpp"

#include <algorithm>

namespace lamina {
namespace {

// Sums run over chunks of this many elements, chunks in order.
constexpr Index kNormChunk = 4096;

constexpr Parameter kWeightDecay = {"weight_decay", 0, 0, kInfinity};

// Moves the parameter's schedule, if it has one, from the description to the settings.
void take_schedule(Json& json, const ScheduleFunctions& functions, const Parameter& parameter,
                   int at, OptimizerSettings& s) {
  if (!json.contains(parameter.name) || !is_schedule(json.at(parameter.name))) return;
  const Info& info = Optimizers::infos()[static_cast<std::size_t>(s.method.index)];
  const int initial = optimizer_kernels<float>(s.method.index).initial_slot_parameter;
  require(parameter.kind == ParameterKind::number && (at < 0 || at != initial), info.class_name,
          ": ", parameter.name, " cannot follow a schedule");
  const Scheduled scheduled(info.class_name, parameter,
                            read_schedule(json.at(parameter.name), functions));
  json.erase(parameter.name);
  const Schedule& schedule = scheduled.schedule();
  if (std::string_view(schedule.info().name) == "constant")
    json[parameter.name] = schedule.parameters()[0];
  else
    s.scheduled.push_back({parameter.name, at, scheduled});
}

// Moves all schedules.
void take_schedules(Json& json, const ScheduleFunctions& functions, OptimizerSettings& s) {
  if (!json.is_object() || !json.contains("class")) return;
  s.method.index = find("optimizer", Optimizers::infos(), json.at("class").get<std::string>());
  const auto& parameters = Optimizers::infos()[static_cast<std::size_t>(s.method.index)].parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    take_schedule(json, functions, parameters[i], static_cast<int>(i), s);
  take_schedule(json, functions, kWeightDecay, -1, s);
}

}  // namespace

std::vector<Index> layout_of(const Model& model) {
  return {static_cast<Index>(reinterpret_cast<std::uintptr_t>(&model))};
}

OptimizerSettings read_optimizer(const Json& json, const ScheduleFunctions& functions) {
  OptimizerSettings s;
  Json plain = json;
  take_schedules(plain, functions, s);
  s.method = read_choice("optimizer", Optimizers::infos(), plain);
  const Json empty = Json::object();
  const Fields fields(Optimizers::infos()[static_cast<std::size_t>(s.method.index)].class_name,
                      plain.is_object() ? plain : empty);
  const auto limit = [&](const char* name) {
    const double off = std::nan("");
    if (!fields.has(name)) return off;
    const double value = fields.number(name, off, 0, kInfinity);
    require(value > 0, fields.owner(), ": ", name, " must be above 0, got ", value);
    return value;
  };
  s.clipnorm = limit("clipnorm");
  s.clipvalue = limit("clipvalue");
  s.global_clipnorm = limit("global_clipnorm");
  require(std::isnan(s.clipnorm) || std::isnan(s.global_clipnorm), fields.owner(),
          ": give clipnorm or global_clipnorm, not both");
  s.weight_decay =
      fields.number(kWeightDecay.name, kWeightDecay.value, kWeightDecay.minimum, kInfinity);
  s.use_ema = fields.flag("use_ema", false);
  s.ema_momentum = fields.number("ema_momentum", 0.99, 0, 1);
  return s;
}

Json write_optimizer(const OptimizerSettings& s) {
  Json out = write_choice(Optimizers::infos(), s.method);
  const auto limit = [](double x) { return std::isnan(x) ? Json(nullptr) : Json(x); };
  out["clipnorm"] = limit(s.clipnorm);
  out["clipvalue"] = limit(s.clipvalue);
  out["global_clipnorm"] = limit(s.global_clipnorm);
  out["weight_decay"] = s.weight_decay;
  out["use_ema"] = s.use_ema;
  out["ema_momentum"] = s.ema_momentum;
  for (const ScheduledSetting& one : s.scheduled)
    out[one.name] = write_schedule(one.scheduled.schedule());
  return out;
}

bool Optimizer::length_comes_from_fit() const {
  return std::any_of(settings.scheduled.begin(), settings.scheduled.end(), [](const auto& one) {
    return one.scheduled.schedule().length_comes_from_fit();
  });
}

double Optimizer::current(const std::string& name) const {
  for (const ScheduledSetting& one : settings.scheduled)
    if (one.name == name) return one.scheduled.value(clock());
  if (name == kWeightDecay.name) return settings.weight_decay;
  const Info& info = Optimizers::infos()[static_cast<std::size_t>(settings.method.index)];
  std::vector<std::string> known = {kWeightDecay.name};
  for (std::size_t i = 0; i < info.parameters.size(); ++i) {
    if (name == info.parameters[i].name) return settings.method.parameters[i];
    known.push_back(info.parameters[i].name);
  }
  fail(info.class_name, " has no parameter '", name, "'.", did_you_mean(name, known),
       " Known: ", join(known), ".");
}

// Sets what is scheduled to its value in the next step.
const OptimizerSettings& Optimizer::follow_schedules() {
  for (const ScheduledSetting& one : settings.scheduled)
    settings.setting(one.at) = one.scheduled.value(clock());
  return settings;
}

void Optimizer::reset() {
  require_free("optimizer.reset");
  iterations = epoch = planned_steps = planned_epochs = 0;
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

template <class T>
void Optimizer::prepare(Index size, const T* start, const std::vector<Index>& layout) {
  Slots<T>& s = slots<T>();
  if (s.size == size && layout_ == layout) return;
  require(s.empty() || layout_.empty(),
          "the optimizer's state belongs to other arrays or another model: use one optimizer for "
          "each (copy.deepcopy), or reset()");
  layout_ = layout;
  if (s.size == size) return;  // loaded from a file
  const auto& kernels = optimizer_kernels<T>(settings.method.index);
  for (int k = 0; k < kernels.slots; ++k) s.slot[k].allocate(size);
  if (kernels.initial_slot_parameter >= 0)
    std::fill_n(
        s.slot[0].data(), size,
        T(settings.method.parameters[static_cast<std::size_t>(kernels.initial_slot_parameter)]));
  if (settings.use_ema) {
    s.average.allocate(size);
    std::copy_n(start, size, s.average.data());
  }
  s.size = size;
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
  prepare(table.size, p.data(), sizes);
  Update<T> step(*this, table, p.data());
  if (settings.needs_norms()) step.measure_norms(g.data());
  for (const Tensor& t : table.tensors) step.apply(t, t.offset, t.size, g.data() + t.offset);
  ++iterations;
  for (std::size_t i = 0; i < sizes.size(); ++i)
    std::copy_n(p.data() + table.tensors[i].offset, sizes[i], parameters[i]);
}

namespace {

template <class T>
void step_model(Optimizer& optimizer, ModelOf<T>& model) {
  const ParameterTable& table = model.graph().parameters;
  optimizer.prepare(table.size, model.weights(), layout_of(model));
  Update<T> step(optimizer, table, model.weights());
  const T* g = model.stored_gradients();
  if (optimizer.settings.needs_norms()) step.measure_norms(g);
  for (const Tensor& t : table.tensors)
    if (t.trainable) step.apply(t, t.offset, t.size, g + t.offset);
  ++optimizer.iterations;
  optimizer.follow(table, model.weights());
}

}  // namespace

void Optimizer::step(Model& model) {
  require_free("optimizer.step");
  if (!model.has_gradients())
    throw StateError(
        "optimizer.step: the model has no gradients yet; call model.backward(...) or "
        "trainer.compute_gradients(X, y) first");
  const Model::Guard guard(model);
  const FlushDenormals flush;
  if (auto* f = dynamic_cast<ModelOf<float>*>(&model))
    step_model(*this, *f);
  else
    step_model(*this, static_cast<ModelOf<double>&>(model));
}

template <class T>
Update<T>::Update(Optimizer& optimizer, const ParameterTable& table, T* parameters)
    : settings_(optimizer.follow_schedules()),
      table_(table),
      parameters_(parameters),
      slots_(optimizer.slots<T>()),
      rate_(optimizer.rate_scale * settings_.method.parameters[0]),
      clip_(optimizer.clip) {
  optimizer_kernels<T>(settings_.method.index)
      .prepare(settings_.method.parameters.data(), rate_, optimizer.iterations + 1,
               scalars_.data());
}

template <class T>
UpdateRange<T> Update<T>::range(const Tensor& tensor, Index offset, Index n, const T* g) const {
  UpdateRange<T> r;
  r.p = parameters_ + offset;
  r.g = g;
  for (int k = 0; k < kMaxSlots; ++k)
    if (!slots_.slot[k].empty()) r.slot[k] = slots_.slot[k].data() + offset;
  if (!slots_.average.empty()) r.average = slots_.average.data() + offset;
  r.n = n;
  r.scalars = scalars_.data();
  r.rate_multiplier = tensor.rate_multiplier;
  r.l2 = tensor.penalty.l2;
  r.l1 = tensor.penalty.l1;
  r.proximal = tensor.penalty.proximal;
  const double rate = rate_ * tensor.rate_multiplier;
  r.threshold = r.proximal ? rate * r.l1 : 0;
  r.decay = rate * settings_.weight_decay * tensor.decay_multiplier;
  r.clip_value = std::isnan(settings_.clipvalue) ? kInfinity : settings_.clipvalue;
  r.average_momentum = settings_.ema_momentum;
  return r;
}

template <class T>
bool Update<T>::apply(const Tensor& tensor, Index offset, Index n, const T* g) const {
  UpdateRange<T> r = range(tensor, offset, n, g);
  if (clips_) r.clip_scale = clip_[static_cast<std::size_t>(&tensor - table_.tensors.data())];
  return optimizer_kernels<T>(settings_.method.index).update(r);
}

template <class T>
std::array<Prefetch, 4> Update<T>::soon(Index offset, Index n) const {
  std::array<Prefetch, 4> out;
  std::size_t count = 0;
  const auto add = [&](const T* data) { out[count++] = Prefetch(data + offset, 1, n, n); };
  add(parameters_);
  for (const Buffer<T>& slot : slots_.slot)
    if (!slot.empty()) add(slot.data());
  if (!slots_.average.empty()) add(slots_.average.data());
  return out;
}

template <class T>
void Update<T>::measure_norms(const T* gradients) {
  clips_ = true;
  clip_.assign(table_.tensors.size(), 1);
  double total = 0;
  for (std::size_t i = 0; i < table_.tensors.size(); ++i) {
    const Tensor& t = table_.tensors[i];
    if (!t.trainable) continue;
    double sum = 0;
    for (Index j = 0; j < t.size; j += kNormChunk)
      sum += squared_norm(
          range(t, t.offset + j, std::min(kNormChunk, t.size - j), gradients + t.offset + j));
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
template void Optimizer::prepare<float>(Index, const float*, const std::vector<Index>&);
template void Optimizer::prepare<double>(Index, const double*, const std::vector<Index>&);
template void Optimizer::follow<float>(const ParameterTable&, const float*);
template void Optimizer::follow<double>(const ParameterTable&, const double*);
template void Optimizer::update<float>(const std::vector<float*>&, const std::vector<const float*>&,
                                       const std::vector<Index>&);
template void Optimizer::update<double>(const std::vector<double*>&,
                                        const std::vector<const double*>&,
                                        const std::vector<Index>&);

}  // namespace lamina
