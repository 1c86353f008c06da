// √x of a register, faster than the divider.
#pragma once

#include <cstdint>
#include <type_traits>

#include <xsimd/xsimd.hpp>

namespace thalweg::detail {

template <class Register>
inline constexpr bool has_rsqrt14 = false;
template <class Arch>
inline constexpr bool has_rsqrt14<xsimd::batch<float, Arch>> = std::is_base_of_v<xsimd::avx512f, Arch>;

/// √x, correctly rounded for every x, as by the instruction.
///
/// With AVX-512 a root or a quotient of sixteen floats occupies the divider for longer than memory takes to load them.
/// There the root is an estimate y ≈ 1/√x of 14 bits, a Newton step for s = x·y and h = y/2, and the remainder x - s². The
/// multipliers compute these. The instruction computes the root of zero, tiny, infinite and negative numbers and of NaN.
template <class Register>
inline Register square_root(Register x) {
  if constexpr (has_rsqrt14<Register>) {
    using bits = xsimd::batch<std::uint32_t, typename Register::arch_type>;
    const bits least(0x10000000), infinity(0x7F800000);  // 2^-95
    if (xsimd::all(xsimd::bitwise_cast<bits>(x) - least < infinity - least)) [[likely]] {
      const auto v = x.data, half = Register(0.5f).data;  // intrinsics: a remainder that is not fused would be nothing
      const auto y = _mm512_rsqrt14_ps(v);
      auto s = _mm512_mul_ps(v, y), h = _mm512_mul_ps(half, y);
      const auto e = _mm512_fnmadd_ps(s, h, half);
      s = _mm512_fmadd_ps(s, e, s);
      h = _mm512_fmadd_ps(h, e, h);
      return _mm512_fmadd_ps(_mm512_fnmadd_ps(s, s, v), h, s);
    }
  }
  return xsimd::sqrt(x);
}

}  // namespace thalweg::detail
