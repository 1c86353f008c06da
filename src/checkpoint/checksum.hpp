// Checksums that tell one set of bytes from another: any changed bit changes them, but for one chance in 2^64.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>

namespace thalweg::detail {

/// 64 bits in 16 hexadecimal digits.
std::string hexadecimal(std::uint64_t number);

/// XXH3 of 64 bits (https://xxhash.com), in hexadecimal digits.
std::string checksum(std::span<const std::byte> bytes);

/// Of metadata: each key and each text ends in a zero byte. The entry that holds this checksum does not count.
std::string checksum(const std::map<std::string, std::string>& entries);
inline constexpr std::string_view checksum_of_entries = "checksum";

/// What files of version 1 have for parameters instead.
template <class T>
std::string checksum_of_version_1(std::span<const T> values) {
  std::uint64_t sum = 0x9e3779b97f4a7c15u ^ values.size();
  const auto stir = [&](std::uint64_t bits) {  // one-to-one in `sum` and in `bits`
    sum = std::rotl((sum ^ bits) * 0xbf58476d1ce4e5b9u, 29);
  };
  for (const T value : values) {
    if constexpr (sizeof(T) == 4) stir(std::bit_cast<std::uint32_t>(value));
    else stir(std::bit_cast<std::uint64_t>(value));
  }
  stir(0);
  stir(0);
  return hexadecimal(sum);
}

}  // namespace thalweg::detail
