#include "checksum.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace thalweg::detail {

std::string hexadecimal(std::uint64_t number) {
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[number >> shift & 0xf];
  return digits;
}

std::string checksum(std::span<const std::byte> bytes) { return hexadecimal(XXH3_64bits(bytes.data(), bytes.size())); }

}  // namespace thalweg::detail
