// Errors of the core. Every message says what was expected, what came, and what to do.
// The core throws; it never prints and never aborts.
#pragma once

#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

using Index = std::int64_t;

// A call that the object's state forbids (a second fit, a stale plan). Python: RuntimeError.
struct StateError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A file that cannot be read or written. Python: OSError.
struct FileError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

// A part of a message. Messages are put together out of line: there are many, in code that is hot.
class Part {
 public:
  Part(std::string_view text) : kind_(Kind::text), text_(text) {}
  Part(const std::string& text) : Part(std::string_view(text)) {}
  Part(const char* text) : Part(std::string_view(text)) {}
  Part(char one) : kind_(Kind::letter), letter_(one) {}
  Part(std::signed_integral auto n) : kind_(Kind::whole), whole_(n) {}
  Part(std::unsigned_integral auto n) : kind_(Kind::natural), natural_(n) {}
  Part(double x) : kind_(Kind::real), real_(x) {}
  void add_to(std::string& message) const;

 private:
  enum class Kind { text, letter, whole, natural, real } kind_;
  union {
    std::string_view text_;
    char letter_;
    std::int64_t whole_;
    std::uint64_t natural_;
    double real_;
  };
};

std::string concat_parts(std::initializer_list<Part> parts);
[[noreturn]] void fail_with(std::initializer_list<Part> parts);

template <class... Parts>
std::string concat(const Parts&... parts) {
  return concat_parts({Part(parts)...});
}

// A bad argument. Python: ValueError.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  fail_with({Part(parts)...});
}

template <class... Parts>
void require(bool condition, const Parts&... parts) {
  if (!condition) [[unlikely]]
    fail(parts...);
}

inline std::string join(const std::vector<std::string>& words,
                        const std::string& separator = ", ") {
  std::string out;
  for (const auto& word : words) out += (out.empty() ? "" : separator) + word;
  return out;
}

// The product of the sizes; more than any memory holds is refused before it can overflow.
inline Index checked_size(const std::string& what, const std::vector<Index>& shape) {
  constexpr Index kMost = Index{1} << 44;
  Index size = 1;
  for (const Index n : shape) {
    require(n >= 0 && (n == 0 || size <= kMost / n), what, " is too large: more than 2^44 numbers");
    size *= n;
  }
  return size;
}

inline std::string shape_text(const std::vector<Index>& shape) {
  std::string out = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) out += (i ? ", " : "") + std::to_string(shape[i]);
  return out + (shape.size() == 1 ? ",)" : ")");
}

}  // namespace lamina
