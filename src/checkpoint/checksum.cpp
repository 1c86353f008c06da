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

std::string checksum(const std::map<std::string, std::string>& entries) {
  std::string all;
  for (const auto& [key, text] : entries)
    if (key != checksum_of_entries) all.append(key).append(1, '\0').append(text).append(1, '\0');
  return checksum(std::as_bytes(std::span(all)));
}

}  // namespace thalweg::detail
