// What an optimizer is made of, read and written as JSON, and its parameters that follow schedules.
#include <algorithm>

#include "lamina/train/optimizer.hpp"

namespace lamina {
namespace {

constexpr const char* kAccumulation = "gradient_accumulation_steps";
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
  if (is_constant(schedule))
    json[parameter.name] = schedule.parameters()[0];
  else
    s.scheduled.push_back({parameter.name, at, std::make_shared<Scheduled>(scheduled)});
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
  s.weight_decay = fields.number(
      kWeightDecay.name, optimizer_kernels<float>(s.method.index).weight_decay, 0, kInfinity);
  s.use_ema = fields.flag("use_ema", false);
  s.ema_momentum = fields.number("ema_momentum", 0.99, 0, 1);
  if (fields.has(kAccumulation))
    s.accumulation = static_cast<std::uint64_t>(fields.whole(kAccumulation, 1));
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
  out[kAccumulation] = s.accumulation;
  for (const ScheduledSetting& one : s.scheduled)
    out[one.name] = write_schedule(one.scheduled->schedule());
  return out;
}

bool Optimizer::length_comes_from_fit() const {
  return std::any_of(settings.scheduled.begin(), settings.scheduled.end(), [](const auto& one) {
    return one.scheduled->schedule().length_comes_from_fit();
  });
}

double Optimizer::begin_step() {
  rate_step_ = iterations + 1;
  return rate_ = rate_scale * step_settings_.parameters[0];
}

double Optimizer::last_learning_rate() const {
  // Asking a schedule again would call a user's function twice.
  if (iterations > 0 && rate_step_ == iterations) return rate_;
  Clock then = clock();
  then.step -= iterations > 0;
  return rate_scale * current_at(then, "learning_rate");
}

double Optimizer::current_at(const Clock& clock, const std::string& name) const {
  for (const ScheduledSetting& one : settings.scheduled)
    if (one.name == name) return one.scheduled->value(clock);
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

// The settings of the next step.
const StepSettings& Optimizer::follow_schedules() {
  StepSettings& s = step_settings_;
  s.parameters = settings.method.parameters;
  s.weight_decay = settings.weight_decay;
  for (const ScheduledSetting& one : settings.scheduled)
    (one.at < 0 ? s.weight_decay : s.parameters[static_cast<std::size_t>(one.at)]) =
        one.scheduled->value(clock());
  return s;
}

}  // namespace lamina
