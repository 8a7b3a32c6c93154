#include "lamina/nn/schedule_spec.hpp"

#include "lamina/functions/schedules.hpp"

namespace lamina {
namespace {

constexpr int kDeepest = 16;

Schedule read(const Json& json, const ScheduleFunctions& functions, int depth);

std::vector<Schedule> read_children(const Info& info, const Parameter& parameter, const Json& json,
                                    const ScheduleFunctions& functions, int depth) {
  const Json& given = Fields(info.class_name, json).at(parameter.name);
  if (parameter.kind == ParameterKind::schedule) return {read(given, functions, depth)};
  require(given.is_array() && !given.empty(), info.class_name, ": ", parameter.name,
          " must be a list of numbers and schedules, got ", given.dump());
  std::vector<Schedule> out;
  for (const Json& one : given) out.push_back(read(one, functions, depth));
  return out;
}

// The function's place in the list, which is kept for writing.
void read_function(Schedule& schedule, std::size_t at, const Json& json,
                   const ScheduleFunctions& functions) {
  const Fields fields("Function", json);
  const auto place = static_cast<std::size_t>(fields.whole("function", 0));
  require(place < functions.size(),
          "Function: a description cannot hold the function itself; make the object anew");
  schedule.function = functions[place];
  schedule.choice.parameters[at] = static_cast<double>(place);
}

void check_units(const Schedule& schedule) {
  for (const Schedule& child : schedule.children)
    require(child.by_epoch == schedule.by_epoch || unit_parameter(child.info()) < 0,
            schedule.info().class_name, ": its unit is '", schedule.by_epoch ? "epoch" : "step",
            "' and that of the ", child.info().class_name, " in it '",
            child.by_epoch ? "epoch" : "step", "'; give both the same unit");
}

Schedule read(const Json& json, const ScheduleFunctions& functions, int depth) {
  require(depth < kDeepest, "schedules are nested more than ", kDeepest, " deep");
  Schedule out;
  Json constant = Json::object();
  if (json.is_number()) constant["class"] = "Constant", constant["learning_rate"] = json;
  out.choice = read_choice("schedule", Schedules::infos(), json.is_number() ? constant : json);
  const Info& info = out.info();
  const int unit = unit_parameter(info);
  out.by_epoch = unit >= 0 && out.choice.parameters[static_cast<std::size_t>(unit)] == 1;
  for (std::size_t i = 0; i < info.parameters.size(); ++i) {
    const Parameter& parameter = info.parameters[i];
    if (is_number(parameter)) continue;
    if (parameter.kind == ParameterKind::function)
      read_function(out, i, json, functions);
    else
      out.children = read_children(info, parameter, json, functions, depth + 1);
  }
  check_units(out);
  Schedules::visit(out.choice.index, [&]<class S>() {
    if constexpr (requires { S::check(out); }) S::check(out);
    return true;
  });
  return out;
}

Json write_part(const Schedule& schedule, const Parameter& parameter, double number) {
  if (parameter.kind == ParameterKind::function) return static_cast<Index>(number);
  Json out = Json::array();
  for (const Schedule& child : schedule.children)
    out.push_back(is_constant(child) ? Json(child.parameters()[0]) : write_schedule(child));
  return parameter.kind == ParameterKind::schedule ? out[0] : out;
}

}  // namespace

bool is_constant(const Schedule& schedule) {
  return std::string_view(schedule.info().name) == "constant";
}

bool is_schedule(const Json& json) { return json.is_object() && json.contains("class"); }

Schedule read_schedule(const Json& json, const ScheduleFunctions& functions) {
  return read(json, functions, 0);
}

Json write_schedule(const Schedule& schedule) {
  Json out = write_choice(Schedules::infos(), schedule.choice);
  const auto& parameters = schedule.info().parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (!is_number(parameters[i]))
      out[parameters[i].name] = write_part(schedule, parameters[i], schedule.parameters()[i]);
  return out;
}

}  // namespace lamina
