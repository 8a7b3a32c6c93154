// SHA-256 (FIPS 180-4), for checksums of files and fingerprints of models.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace lamina {

class Sha256 {
 public:
  void add(const void* data, std::size_t size);
  void add(std::string_view text) { add(text.data(), text.size()); }
  std::string hex();  // ends the sum

 private:
  void block(const std::uint8_t* p);
  std::array<std::uint32_t, 8> h_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                  0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> buffer_{};
  std::size_t used_ = 0;
  std::uint64_t total_ = 0;
};

}  // namespace lamina
