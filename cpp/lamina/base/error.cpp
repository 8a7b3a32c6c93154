#include "lamina/base/error.hpp"

#include <sstream>

namespace lamina {

void Part::add_to(std::string& message) const {
  switch (kind_) {
    case Kind::text:
      message += text_;
      return;
    case Kind::letter:
      message += letter_;
      return;
    case Kind::whole:
      message += std::to_string(whole_);
      return;
    case Kind::natural:
      message += std::to_string(natural_);
      return;
    case Kind::real:
      std::ostringstream text;
      text << real_;
      message += text.str();
  }
}

std::string concat_parts(std::initializer_list<Part> parts) {
  std::string message;
  for (const Part& part : parts) part.add_to(message);
  return message;
}

void fail_with(std::initializer_list<Part> parts) {
  throw std::invalid_argument(concat_parts(parts));
}

}  // namespace lamina
