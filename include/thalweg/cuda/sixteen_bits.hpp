// The floating-point numbers of 16 bits that products take.
#pragma once

#include <bit>
#include <cstdint>

namespace thalweg::cuda {

/// A float's upper 16 bits, rounded to nearest, ties to even.
struct bf16 {
  std::uint16_t bits;

  bf16() = default;
  constexpr explicit bf16(float x) : bits(rounded(std::bit_cast<std::uint32_t>(x))) {}
  constexpr explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

private:
  static constexpr std::uint16_t rounded(std::uint32_t x) {
    const bool nan = (x & 0x7fffffffu) > 0x7f800000u;
    const std::uint32_t near = nan ? x | 0x400000u : x + 0x7fffu + (x >> 16 & 1u);
    return static_cast<std::uint16_t>(near >> 16);
  }
};

/// IEEE's binary16: eleven digits from 2⁻¹⁴ to 65504, fewer down to 2⁻²⁴; rounded to nearest, ties to even.
struct fp16 {
  std::uint16_t bits;

  fp16() = default;
  constexpr explicit fp16(float x) : bits(rounded(x)) {}
  constexpr explicit operator float() const {
    const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16, size = bits & 0x7fffu;
    if (size < 0x400) {
      const float small = static_cast<float>(size) * 0x1p-24f;
      return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(small));
    }
    const std::uint32_t exponent = size < 0x7c00 ? 127 - 15 : 255 - 31;
    return std::bit_cast<float>(sign | ((size << 13) + (exponent << 23)));
  }

private:
  static constexpr std::uint16_t rounded(float x) {
    const std::uint32_t all = std::bit_cast<std::uint32_t>(x), sign = all >> 16 & 0x8000u, size = all & 0x7fffffffu;
    const auto with_sign = [&](std::uint32_t rest) { return static_cast<std::uint16_t>(sign | rest); };
    if (size > 0x7f800000u) return with_sign(0x7e00);
    if (size >= 0x477ff000u) return with_sign(0x7c00);  // from 65520 on
    if (size < 0x38800000u)  // below 2⁻¹⁴: a sum with 1/2 rounds to multiples of 2⁻²⁴
      return with_sign(std::bit_cast<std::uint32_t>(std::bit_cast<float>(size) + 0.5f) - 0x3f000000u);
    return with_sign((size - (std::uint32_t{127 - 15} << 23) + 0xfffu + (size >> 13 & 1u)) >> 13);
  }
};

}  // namespace thalweg::cuda
