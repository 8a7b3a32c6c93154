#include "lamina/nn/spec.hpp"

#include <algorithm>
#include <array>

#include "lamina/functions/activations.hpp"
#include "lamina/functions/initializers.hpp"
#include "lamina/functions/losses.hpp"
#include "lamina/functions/metrics.hpp"
#include "lamina/functions/optimizers.hpp"
#include "lamina/functions/schedules.hpp"

namespace lamina {
namespace {

double read_number(const std::string& owner, const Parameter& parameter, const Json& value) {
  if (value.is_boolean()) return value.get<bool>() ? 1 : 0;
  require(parameter.kind != ParameterKind::flag, owner, ": ", parameter.name,
          " must be True or False, got ", value.dump());
  require(value.is_number(), owner, ": ", parameter.name, " must be a number, got ", value.dump());
  return value.get<double>();
}

double read_word(const std::string& owner, const Parameter& parameter, const Json& value) {
  const std::vector<std::string> known = words(parameter);
  const std::string text = value.is_string() ? value.get<std::string>() : value.dump();
  const auto found = std::find(known.begin(), known.end(), text);
  require(found != known.end(), owner, ": ", parameter.name, " must be one of ", join(known),
          ", got ", value.dump(), ".", did_you_mean(text, known));
  return static_cast<double>(found - known.begin());
}

std::vector<double> read_list(const std::string& owner, const Parameter& parameter,
                              const Json& value) {
  std::vector<double> out;
  if (!value.is_array()) return {read_number(owner, parameter, value)};
  for (const Json& one : value) out.push_back(read_number(owner, parameter, one));
  require(!out.empty(), owner, ": ", parameter.name, " must hold at least one number");
  return out;
}

Json write_number(const Parameter& parameter, double value) {
  if (parameter.kind == ParameterKind::flag) return value != 0;
  if (parameter.kind == ParameterKind::activation) return parameter.options;
  if (parameter.kind == ParameterKind::choice)
    return words(parameter)[static_cast<std::size_t>(value)];
  if (std::isnan(value)) return nullptr;
  return value;
}

// A parameter of a choice; a list of one number as that number.
Json write_parameter(const Parameter& parameter, const Choice& choice, std::size_t i) {
  const int at = static_cast<int>(i);
  if (parameter.kind == ParameterKind::activation)
    return write_choice(Activations::infos(), activation_at(choice.parameters.data(), at));
  if (parameter.kind != ParameterKind::list) return write_number(parameter, choice.parameters[i]);
  const std::span<const double> list = list_at(choice.parameters.data(), at);
  if (list.size() == 1) return write_number(parameter, list[0]);
  return std::vector<double>(list.begin(), list.end());
}

void read_activation_of(Choice& choice, std::size_t i, const Info& info, const Json& given) {
  const Choice inner = read_choice("activation", Activations::infos(), given);
  require(!blend_of(inner), info.class_name, ": ", info.parameters[i].name,
          " cannot itself be a learned activation, got ", given.dump());
  std::vector<double> all = {static_cast<double>(inner.index)};
  all.insert(all.end(), inner.parameters.begin(), inner.parameters.end());
  set_list(choice, i, all);
}

// The number, word, function or numbers that `given` says, in range.
void read_parameter(Choice& choice, std::size_t i, const Info& info, const Json* given) {
  const Parameter& p = info.parameters[i];
  if (!is_number(p)) return;
  if (p.kind == ParameterKind::activation)
    return read_activation_of(choice, i, info, given ? *given : Json(p.options));
  if (p.kind == ParameterKind::list) {
    if (given) set_list(choice, i, read_list(info.class_name, p, *given));
    for (const double value : list_at(choice.parameters.data(), static_cast<int>(i)))
      check_range(info.class_name, p, value);
    return;
  }
  if (given)
    choice.parameters[i] = p.kind == ParameterKind::choice
                               ? read_word(info.class_name, p, *given)
                               : read_number(info.class_name, p, *given);
  check_range(info.class_name, p, choice.parameters[i]);
}

Json describe(const std::vector<Info>& infos) {
  Json out = Json::array();
  for (const Info& info : infos) {
    Json parameters = Json::array();
    for (const Parameter& p : info.parameters) {
      Json one = {{"name", p.name}, {"default", write_number(p, p.value)}, {"unit", p.unit}};
      one["minimum"] = std::isfinite(p.minimum) ? Json(p.minimum) : Json(nullptr);
      one["maximum"] = std::isfinite(p.maximum) ? Json(p.maximum) : Json(nullptr);
      if (p.kind == ParameterKind::choice) one["options"] = words(p);
      one["required"] = std::isnan(p.value) && p.kind != ParameterKind::optional;
      parameters.push_back(one);
    }
    out.push_back({{"class", info.class_name},
                   {"name", info.name},
                   {"aliases", info.aliases},
                   {"parameters", parameters},
                   {"formula", info.formula},
                   {"source", info.source},
                   {"kinks", info.kinks}});
  }
  return out;
}

}  // namespace

void check_nesting(const std::string& what, std::string_view text) {
  constexpr int kDeepest = 512;
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') quoted = !quoted;
    if (c == '\\' && quoted) ++i;
    if (quoted) continue;
    depth += (c == '[' || c == '{') - (c == ']' || c == '}');
    if (depth > kDeepest) fail(what, " is nested more than ", kDeepest, " deep");
  }
}

Json parse_json(const std::string& what, std::string_view text) {
  check_nesting(what, text);
  try {
    return Json::parse(text);
  } catch (const Json::parse_error& error) {
    fail(what, " is not valid JSON: ", error.what());
  }
}

Choice read_choice(const char* kind, const std::vector<Info>& infos, const Json& json) {
  const bool named = json.is_string();
  require(named || (json.is_object() && json.contains("class")), "a ", kind,
          " is a name or an object of lamina, got ", json.dump());
  const int index = find(kind, infos, (named ? json : json.at("class")).get<std::string>());
  Choice choice = default_choice(infos, index);
  const Info& info = infos[static_cast<std::size_t>(index)];
  for (std::size_t i = 0; i < info.parameters.size(); ++i) {
    const char* name = info.parameters[i].name;
    const bool given = !named && json.contains(name) && !json.at(name).is_null();
    read_parameter(choice, i, info, given ? &json.at(name) : nullptr);
  }
  return choice;
}

Json write_choice(const std::vector<Info>& infos, const Choice& choice) {
  const Info& info = infos[static_cast<std::size_t>(choice.index)];
  Json out = {{"class", info.class_name}};
  for (std::size_t i = 0; i < info.parameters.size(); ++i)
    if (is_number(info.parameters[i]))
      out[info.parameters[i].name] = write_parameter(info.parameters[i], choice, i);
  return out;
}

Penalty read_penalty(const Json& json) {
  if (json.is_null()) return {};
  const Choice choice = read_choice("regularizer", Regularizers::infos(), json);
  return Regularizers::visit(choice.index,
                             [&]<class R>() { return R::penalty(choice.parameters.data()); });
}

Json write_penalty(const Penalty& p) {
  if (p.l1 == 0 && p.l2 == 0) return nullptr;
  if (p.l1 == 0) return {{"class", "L2"}, {"l2", p.l2}};
  if (p.l2 == 0) return {{"class", "L1"}, {"l1", p.l1}, {"proximal", p.proximal}};
  return {{"class", "L1L2"}, {"l1", p.l1}, {"l2", p.l2}, {"proximal", p.proximal}};
}

Constraint read_constraint(const Json& json) {
  if (json.is_null()) return {};
  const Choice choice = read_choice("constraint", Constraints::infos(), json);
  return Constraints::visit(choice.index,
                            [&]<class C>() { return C::constraint(choice.parameters.data()); });
}

Json write_constraint(const Constraint& c) {
  if (c.none()) return nullptr;
  if (c.non_negative) return {{"class", "NonNeg"}};
  if (c.least > 0) return {{"class", "UnitNorm"}};
  return {{"class", "MaxNorm"}, {"max_value", c.most}};
}

double Fields::number(const char* name, double fallback, double minimum, double maximum) const {
  if (!has(name)) {
    require(!std::isnan(fallback), owner_, ": ", name, " must be given");
    return fallback;
  }
  const Json& value = json_.at(name);
  require(value.is_number(), owner_, ": ", name, " must be a number, got ", value.dump());
  const double x = value.get<double>();
  require(x >= minimum && x <= maximum, owner_, ": ", name, " must be in [", minimum, ", ", maximum,
          "], got ", x);
  return x;
}

Index Fields::whole(const char* name, Index minimum) const {
  const Json& value = at(name);
  require(value.is_number_integer() && value.get<Index>() >= minimum, owner_, ": ", name,
          " must be a whole number of at least ", minimum, ", got ", value.dump());
  return value.get<Index>();
}

bool Fields::flag(const char* name, bool fallback) const {
  if (!has(name)) return fallback;
  require(json_.at(name).is_boolean(), owner_, ": ", name, " must be True or False, got ",
          json_.at(name).dump());
  return json_.at(name).get<bool>();
}

std::string Fields::text(const char* name, const std::string& fallback) const {
  if (!has(name)) return fallback;
  require(json_.at(name).is_string(), owner_, ": ", name, " must be a string, got ",
          json_.at(name).dump());
  return json_.at(name).get<std::string>();
}

namespace {

struct Room {
  const char *name, *kind;
  const std::vector<Info>& infos;
};

std::array<Room, 8> rooms() {
  return {{{"activations", "activation", Activations::infos()},
           {"losses", "loss", Losses::infos()},
           {"optimizers", "optimizer", Optimizers::infos()},
           {"schedules", "schedule", Schedules::infos()},
           {"initializers", "initializer", Initializers::infos()},
           {"regularizers", "regularizer", Regularizers::infos()},
           {"constraints", "constraint", Constraints::infos()},
           {"metrics", "metric", Metrics::infos()}}};
}

}  // namespace

Json catalogue() {
  Json out;
  for (const Room& room : rooms()) out[room.name] = describe(room.infos);
  for (Json& one : out["activations"])
    one["row_wise"] = is_row_wise(read_choice("activation", Activations::infos(), one["name"]));
  for (Json& one : out["optimizers"]) {
    const int index = find("optimizer", Optimizers::infos(), one["name"].get<std::string>());
    one["weight_decay"] = optimizer_kernels<float>(index).weight_decay;
  }
  return out;
}

Json resolve(const std::string& room, const Json& json) {
  for (const Room& one : rooms())
    if (room == one.name) return write_choice(one.infos, read_choice(one.kind, one.infos, json));
  fail("there is no part '", room, "' of the catalogue");
}

}  // namespace lamina
