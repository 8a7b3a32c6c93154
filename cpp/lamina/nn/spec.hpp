// Reading and writing descriptions as JSON: a function is "relu" or {"class": "LeakyReLU",
// "negative_slope": 0.2}. Names are resolved and ranges checked here, once, for every language.
#pragma once

#include <cmath>
#include <nlohmann/json.hpp>

#include "lamina/functions/constraints.hpp"
#include "lamina/functions/info.hpp"
#include "lamina/functions/regularizers.hpp"

namespace lamina {

using Json = nlohmann::ordered_json;

// Parses text; a syntax error becomes a ValueError that says what was parsed.
Json parse_json(const std::string& what, std::string_view text);
// Refuses text with more lists and objects within each other than any description has: whoever
// walks through them recursively has so much stack, and not more.
void check_nesting(const std::string& what, std::string_view text);

// {"class": name, parameters...} or "name" -> the choice among infos.
Choice read_choice(const char* kind, const std::vector<Info>& infos, const Json& json);
Json write_choice(const std::vector<Info>& infos, const Choice& choice);

// A regulariser or null.
Penalty read_penalty(const Json& json);
Json write_penalty(const Penalty& penalty);

// A constraint or null.
Constraint read_constraint(const Json& json);
Json write_constraint(const Constraint& constraint);

// Fields of an object with a default, and errors that name the owner.
class Fields {
 public:
  Fields(std::string owner, const Json& json) : owner_(std::move(owner)), json_(json) {}

  bool has(const char* name) const { return json_.contains(name) && !json_.at(name).is_null(); }
  const Json& at(const char* name) const {
    require(has(name), owner_, ": ", name, " must be given");
    return json_.at(name);
  }
  double number(const char* name, double fallback, double minimum, double maximum) const;
  Index whole(const char* name, Index minimum) const;
  bool flag(const char* name, bool fallback) const;
  // Without a fallback the field must be there.
  double number(const char* name, double minimum, double maximum) const {
    return number(name, std::nan(""), minimum, maximum);
  }
  bool flag(const char* name) const { return at(name), flag(name, false); }
  std::string text(const char* name) const { return at(name), text(name, ""); }
  std::string text(const char* name, const std::string& fallback) const;
  const std::string& owner() const { return owner_; }

 private:
  std::string owner_;
  const Json& json_;
};

// Everything that F1's lists know, for documentation and enumerating tests.
Json catalogue();

// A function of a part of the catalogue ("activations"), by any of its names or as an object, with
// all its parameters.
Json resolve(const std::string& room, const Json& json);

}  // namespace lamina
