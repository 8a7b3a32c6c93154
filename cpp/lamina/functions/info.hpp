// What is known about a function besides its mathematics: names, parameters, formula, source.
// Look-up, range checks, documentation tables and the enumerated tests are all derived from it.
#pragma once

#include <limits>
#include <span>
#include <tuple>
#include <vector>

#include "lamina/base/error.hpp"

namespace lamina {

inline constexpr double kInfinity = std::numeric_limits<double>::infinity();

// optional: absent is NaN. choice: one of the words in `options`, kept as its place among them.
// list: one or several numbers, each in the range. activation: another activation, by default the
// one that `options` names. schedule, schedules, function: what a schedule is made of, kept apart
// from the numbers.
enum class ParameterKind {
  number,
  flag,
  optional,
  choice,
  list,
  activation,
  schedule,
  schedules,
  function
};

struct Parameter {
  const char* name;
  double value;  // the default; NaN where the caller must give one (or absent, if optional)
  double minimum = -kInfinity, maximum = kInfinity;
  const char* unit = "";
  ParameterKind kind = ParameterKind::number;
  const char* options = "";  // "torch|keras"
};

inline constexpr Parameter flag(const char* name, bool value = false) {
  return {name, value ? 1.0 : 0.0, 0, 1, "", ParameterKind::flag};
}
inline constexpr Parameter optional(const char* name, double minimum, double maximum,
                                    const char* unit = "") {
  return {name,    std::numeric_limits<double>::quiet_NaN(),
          minimum, maximum,
          unit,    ParameterKind::optional};
}
// The default is the first option.
inline constexpr Parameter choice_of(const char* name, const char* options) {
  return {name, 0, 0, kInfinity, "", ParameterKind::choice, options};
}
inline constexpr Parameter activation_of(const char* name, const char* value) {
  return {name, 0, 0, kInfinity, "", ParameterKind::activation, value};
}

inline constexpr Parameter part(const char* name, ParameterKind kind) {
  return {name, std::numeric_limits<double>::quiet_NaN(), -kInfinity, kInfinity, "", kind};
}
inline constexpr Parameter child(const char* name) { return part(name, ParameterKind::schedule); }
inline constexpr Parameter children(const char* name) {
  return part(name, ParameterKind::schedules);
}
inline constexpr Parameter function(const char* name) {
  return part(name, ParameterKind::function);
}
// Whether its values are among Choice::parameters.
inline constexpr bool is_number(const Parameter& parameter) {
  return parameter.kind < ParameterKind::schedule;
}

struct Info {
  const char* class_name;
  const char* name;
  std::vector<const char*> aliases;
  std::vector<Parameter> parameters;
  const char* formula;
  const char* source;
  std::vector<double> kinks = {};
};

// A chosen function: its place in the list and its parameters in the order of Info::parameters. A
// list's place holds where its numbers stand behind them, with their count before them; an
// activation is the list of its place and its parameters.
struct Choice {
  int index = 0;
  std::vector<double> parameters;
};

// The numbers of the list that is the i-th parameter.
inline std::span<const double> list_at(const double* parameters, int i) {
  const double* list = parameters + static_cast<Index>(parameters[i]);
  return {list + 1, static_cast<std::size_t>(*list)};
}

// The activation that is the i-th parameter.
inline Choice activation_at(const double* parameters, int i) {
  const std::span<const double> list = list_at(parameters, i);
  return {static_cast<int>(list[0]), {list.begin() + 1, list.end()}};
}

// The words of Parameter::options.
std::vector<std::string> words(const Parameter& parameter);

template <class... Things>
struct List {
  static constexpr int size = sizeof...(Things);
  template <class Thing>
  static constexpr int place = [] {
    int i = 0, found = -1;
    ((std::is_same_v<Thing, Things> ? found = i++ : i++), ...);
    return found;
  }();
  static const std::vector<Info>& infos() {
    static const std::vector<Info> all = {Things::info()...};
    return all;
  }
  // Calls f.template operator()<Thing>() for the thing at `index`.
  template <class F>
  static auto visit(int index, F&& f) {
    using Result = std::common_type_t<decltype(f.template operator()<Things>())...>;
    Result result{};
    int i = 0;
    ((i++ == index ? (result = f.template operator()<Things>(), true) : false) || ...);
    return result;
  }
};

// The place of a name, class name or alias; unknown names raise with candidates.
int find(const char* kind, const std::vector<Info>& infos, const std::string& text);

// The nearest of `candidates` to `text` as " Did you mean 'x'?", or "".
std::string did_you_mean(const std::string& text, const std::vector<std::string>& candidates);

// Checks one parameter's value against its range.
void check_range(const std::string& owner, const Parameter& parameter, double value);

// Makes `numbers` the list that is the i-th parameter.
void set_list(Choice& choice, std::size_t i, const std::vector<double>& numbers);

// The default choice of the thing at `index`.
Choice default_choice(const std::vector<Info>& infos, int index);

}  // namespace lamina
