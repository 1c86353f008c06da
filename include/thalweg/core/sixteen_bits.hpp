// The 16-bit floating-point numbers, as they are in memory. Kernels compute in float.
#pragma once

#include <bit>
#include <cstdint>

namespace thalweg {

/// A float's upper 16 bits, rounded to nearest, ties to even. You may convert pointers from another library's type.
///
///     auto* weights = reinterpret_cast<bfloat16*>(tensor.data_ptr());
///     parameter<float> w{.name = "w", .shape = {128, 784}, .data = weights};
struct bfloat16 {
  std::uint16_t bits;

  bfloat16() = default;
  constexpr explicit bfloat16(float x) : bits(rounded(std::bit_cast<std::uint32_t>(x))) {}
  constexpr explicit operator float() const { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

private:
  static constexpr std::uint16_t rounded(std::uint32_t x) {
    const std::uint32_t quiet = x | 0x400000u, near = x + 0x7fffu + (x >> 16 & 1u);
    return static_cast<std::uint16_t>(((x & 0x7fffffffu) > 0x7f800000u ? quiet : near) >> 16);
  }
};

/// IEEE's binary16: eleven digits from 2⁻¹⁴ to 65504, fewer down to 2⁻²⁴; rounded to nearest, ties to even.
struct float16 {
  std::uint16_t bits;

  float16() = default;
  constexpr explicit float16(float x) : bits(rounded(x)) {}
  // Both results are computed and one is taken: so a loop of it is vectorised.
  constexpr explicit operator float() const {
    const std::uint32_t sign = std::uint32_t{bits & 0x8000u} << 16, size = bits & 0x7fffu;
    const std::uint32_t small = std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int32_t>(size)) * 0x1p-24f);
    const std::uint32_t exponent = size < 0x7c00 ? 127 - 15 : 255 - 31, large = (size << 13) + (exponent << 23);
    return std::bit_cast<float>(sign | (size < 0x400 ? small : large));
  }

private:
  static constexpr std::uint16_t rounded(float x) {
    const std::uint32_t all = std::bit_cast<std::uint32_t>(x), sign = all >> 16 & 0x8000u, size = all & 0x7fffffffu;
    // Below 2⁻¹⁴ a sum with 1/2 rounds to multiples of 2⁻²⁴.
    const std::uint32_t small = std::bit_cast<std::uint32_t>(std::bit_cast<float>(size < 0x38800000u ? size : 0) + 0.5f) - 0x3f000000u;
    const std::uint32_t large = (size - (std::uint32_t{127 - 15} << 23) + 0xfffu + (size >> 13 & 1u)) >> 13;
    const std::uint32_t finite = size < 0x38800000u ? small : large;
    const std::uint32_t infinite = size > 0x7f800000u ? 0x7e00u : 0x7c00u;
    return static_cast<std::uint16_t>(sign | (size >= 0x477ff000u ? infinite : finite));  // from 65520 on
  }
};

}  // namespace thalweg
