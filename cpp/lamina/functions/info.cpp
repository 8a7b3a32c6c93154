#include "lamina/functions/info.hpp"

#include <algorithm>
#include <cctype>
#include <cmath>

namespace lamina {
namespace {

std::string plain(const std::string& text) {
  std::string out;
  for (const char c : text)
    if (c != '_' && c != '-' && c != ' ')
      out += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] != b[j - 1])});
      diagonal = above;
    }
  }
  return row[b.size()];
}

}  // namespace

std::string did_you_mean(const std::string& text, const std::vector<std::string>& candidates) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, text.size() / 3) + 1;
  for (const auto& candidate : candidates) {
    const std::size_t distance = edit_distance(plain(text), plain(candidate));
    if (distance < best_distance) best = candidate, best_distance = distance;
  }
  return best.empty() ? "" : " Did you mean '" + best + "'?";
}

int find(const char* kind, const std::vector<Info>& infos, const std::string& text) {
  std::vector<std::string> known;
  for (std::size_t i = 0; i < infos.size(); ++i) {
    std::vector<std::string> names = {infos[i].name, infos[i].class_name};
    names.insert(names.end(), infos[i].aliases.begin(), infos[i].aliases.end());
    for (const auto& name : names)
      if (plain(name) == plain(text)) return static_cast<int>(i);
    known.push_back(infos[i].name);
  }
  fail("unknown ", kind, " '", text, "'.", did_you_mean(text, known), " Known: ", join(known), ".");
}

std::vector<std::string> words(const Parameter& parameter) {
  std::vector<std::string> out(1);
  for (const char* c = parameter.options; *c; ++c)
    if (*c == '|')
      out.emplace_back();
    else
      out.back() += *c;
  return out;
}

void check_range(const std::string& owner, const Parameter& parameter, double value) {
  if (parameter.kind == ParameterKind::optional && std::isnan(value)) return;
  require(!std::isnan(value), owner, ": ", parameter.name, " must be given");
  require(value >= parameter.minimum && value <= parameter.maximum, owner, ": ", parameter.name,
          " must be in [", parameter.minimum, ", ", parameter.maximum, "], got ", value);
}

void set_list(Choice& choice, std::size_t i, const std::vector<double>& numbers) {
  std::vector<double>& all = choice.parameters;
  all[i] = static_cast<double>(all.size());
  all.push_back(static_cast<double>(numbers.size()));
  all.insert(all.end(), numbers.begin(), numbers.end());
}

Choice default_choice(const std::vector<Info>& infos, int index) {
  Choice choice{index, {}};
  const auto& parameters = infos[static_cast<std::size_t>(index)].parameters;
  for (const auto& parameter : parameters) choice.parameters.push_back(parameter.value);
  for (std::size_t i = 0; i < parameters.size(); ++i)
    if (parameters[i].kind == ParameterKind::list ||
        parameters[i].kind == ParameterKind::activation)
      set_list(choice, i, {parameters[i].value});
  return choice;
}

}  // namespace lamina
