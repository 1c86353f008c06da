// A checksum that tells one set of weights from another: any changed bit changes it, but for one chance in 2^64.
#pragma once

#include <bit>
#include <cstdint>
#include <span>
#include <string>

namespace thalweg::detail {

/// In 16 hexadecimal digits. Equal for equal bits in equal order.
template <class T>
std::string checksum(std::span<const T> values) {
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
  std::string digits;
  for (int shift = 60; shift >= 0; shift -= 4) digits += "0123456789abcdef"[sum >> shift & 0xf];
  return digits;
}

}  // namespace thalweg::detail
