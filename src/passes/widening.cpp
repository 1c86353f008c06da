// Numbers of 16 and 8 bits become floats, and floats are rounded to them: for the one instruction set for which this file is
// compiled. The loops have no branches, so the compiler makes registers of them.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <type_traits>

#include <xsimd/xsimd.hpp>

#include <thalweg/core/stored.hpp>

#include "dispatched.hpp"

namespace thalweg::passes {

namespace {

using detail::block_elements;
using detail::rounding;
using detail::stored_array;

constexpr std::size_t step = 64;  // numbers; a cache line of the smallest type

std::uint32_t bits_of(float x) { return std::bit_cast<std::uint32_t>(x); }
float of_bits(std::uint32_t bits) { return std::bit_cast<float>(bits); }

/// 32 bits of chance for each number. Two numbers: so that two streams are not one, shifted.
struct chances {
  std::uint32_t factor, offset;

  chances(std::uint64_t stream, std::size_t begin) {
    const std::uint64_t s = detail::scrambled(stream, begin >> 32);
    factor = static_cast<std::uint32_t>(s) | 1u;
    offset = static_cast<std::uint32_t>(s >> 32) + factor * static_cast<std::uint32_t>(begin);
  }
  // The finaliser by C. Wellons ("lowbias32").
  [[gnu::always_inline]] std::uint32_t of(std::uint32_t i) const {
    std::uint32_t x = i * factor + offset;
    x = (x ^ (x >> 16)) * 0x7feb352du;
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
  }
};

/// f(i) for i < n, in pieces of known length, and what the next tile reads is fetched.
template <class Memory, class F>
[[gnu::always_inline]] inline void for_each_number(std::size_t n, const Memory* memory, F f) {
  std::size_t i = 0;
  for (; i + step <= n; i += step) {
    for (std::size_t line = 0; line < step * sizeof(Memory); line += 64)
      __builtin_prefetch(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(memory + i) + line + 2048));
    for (std::size_t j = 0; j < step; ++j) f(i + j);
  }
  for (; i < n; ++i) f(i);
}

bool is_finite(std::uint32_t bits) { return (bits & 0x7f800000u) != 0x7f800000u; }

// ---- bfloat16 --------------------------------------------------------------------------------------

void read_bfloat16(const std::uint16_t* from, std::size_t n, float* __restrict to) {
  for_each_number(n, from, [=](std::size_t i) { to[i] = of_bits(std::uint32_t{from[i]} << 16); });
}

void write_nearest(const float* __restrict from, std::size_t n, bfloat16* __restrict to) {
  for_each_number(n, to, [=](std::size_t i) { to[i] = bfloat16(from[i]); });
}

void write_by_chance(const float* __restrict from, std::size_t n, bfloat16* __restrict to, chances chance) {
  for_each_number(n, to, [=](std::size_t i) {
    const std::uint32_t bits = bits_of(from[i]), up = bits + (chance.of(static_cast<std::uint32_t>(i)) >> 16);
    to[i].bits = static_cast<std::uint16_t>(is_finite(bits) && is_finite(up) ? up >> 16 : bfloat16(from[i]).bits);
  });
}

// The float is upper·2¹⁶ + lower, as whole numbers, and upper is the nearest of 16 bits.
void read_halves(const std::uint16_t* upper, const std::int16_t* lower, std::size_t n, float* __restrict to) {
  for_each_number(n, upper, [=](std::size_t i) {
    to[i] = of_bits((std::uint32_t{upper[i]} << 16) + static_cast<std::uint32_t>(std::int32_t{lower[i]}));
  });
}

void write_halves(const float* __restrict from, std::size_t n, std::uint16_t* __restrict upper, std::int16_t* __restrict lower) {
  for_each_number(n, upper, [=](std::size_t i) {
    const std::uint32_t bits = bits_of(from[i]);
    const bool finite = is_finite(bits);
    const std::uint32_t quiet = (bits | ((bits & 0x7fffffu) != 0 ? 0x400000u : 0u)) >> 16;
    upper[i] = static_cast<std::uint16_t>(finite ? (bits + 0x8000u) >> 16 : quiet);
    lower[i] = static_cast<std::int16_t>(finite ? static_cast<std::uint16_t>(bits) : 0);
  });
}

// ---- float16 ---------------------------------------------------------------------------------------

void read_float16(const float16* from, std::size_t n, float* __restrict to) {
  for_each_number(n, from, [=](std::size_t i) { to[i] = static_cast<float>(from[i]); });
}

void write_nearest(const float* __restrict from, std::size_t n, float16* __restrict to) {
  for_each_number(n, to, [=](std::size_t i) { to[i] = float16(from[i]); });
}

// The distance of two neighbours is a power of two; a whole number of them, of which the rest is left to chance, is exact.
void write_by_chance(const float* __restrict from, std::size_t n, float16* __restrict to, chances chance) {
  for_each_number(n, to, [=](std::size_t i) {
    const float x = from[i];
    const std::uint32_t size = bits_of(x) & 0x7fffffffu;
    const std::uint32_t exponent = size < 0x38800000u ? 0x38800000u : size & 0x7f800000u;
    const float unit = of_bits(exponent - (10u << 23));
    const float u = static_cast<float>(static_cast<std::int32_t>(chance.of(static_cast<std::uint32_t>(i)) >> 8)) * 0x1p-24f;
    const float share = of_bits(size) * (of_bits(0x7f000000u - bits_of(unit)));  // in units
    const float whole = static_cast<float>(static_cast<std::int32_t>(share < 4096 ? share : 0));
    const float rounded = (whole + (share - whole > u ? 1.0f : 0.0f)) * unit;
    const std::uint32_t sign = bits_of(x) & 0x80000000u;
    const float16 near(x), by_chance(of_bits(sign | bits_of(rounded)));
    to[i].bits = size >= 0x477fe000u ? near.bits : by_chance.bits;  // beyond 65504
  });
}

/// The floats beside them, unless the user has written other numbers.
void read_with_floats(const float16* from, const float* exact, std::size_t n, float* __restrict to) {
  for_each_number(n, from, [=](std::size_t i) {
    const float given = static_cast<float>(from[i]);
    to[i] = float16(exact[i]).bits == from[i].bits ? exact[i] : given;
  });
}

// ---- eight bits ------------------------------------------------------------------------------------

// Of a block without negative numbers a code is an exponent of 5 bits and 3 digits; else a sign, 4 bits and 3 digits. Code 0
// is zero. The largest code is 15/8. A negative scale says that there are signs.
constexpr float largest_code = 1.875f;
constexpr std::uint32_t exponent_bias(bool with_signs) { return static_cast<std::uint32_t>(127 - (with_signs ? 15 : 31)) << 23; }

template <bool WithSigns>
void decode(const std::uint8_t* from, std::size_t n, float scale, float* __restrict to) {
  for_each_number(n, from, [=](std::size_t i) {
    const std::uint32_t code = from[i], size = WithSigns ? code & 0x7fu : code;
    const std::uint32_t sign = WithSigns ? (code & 0x80u) << 24 : 0u;
    const float value = of_bits(sign | (size == 0 ? 0u : (size << 20) + exponent_bias(WithSigns)));
    to[i] = value * scale;
  });
}

template <bool WithSigns>
void encode(const float* __restrict from, std::size_t n, float inverse_scale, std::uint8_t* __restrict to, chances chance) {
  constexpr std::uint32_t bias = exponent_bias(WithSigns), top = WithSigns ? 127 : 255;
  const float smallest = of_bits((1u << 20) + bias);
  for_each_number(n, to, [=](std::size_t i) {
    const std::uint32_t all = bits_of(from[i]), r = chance.of(static_cast<std::uint32_t>(i));
    const float x = of_bits(all & 0x7fffffffu) * inverse_scale;
    const std::uint32_t code = (bits_of(x < smallest ? smallest : x) - bias + (r >> 12)) >> 20;
    const float u = static_cast<float>(static_cast<std::int32_t>(r >> 8)) * (0x1p-24f * smallest);
    // What is smaller than all codes: by chance, or the smallest where a zero would be divided by.
    const std::uint32_t least = WithSigns ? (x > u ? 1u : 0u) : (x > 0 ? 1u : 0u);
    const std::uint32_t size = x < smallest ? least : code < top ? code : top;
    to[i] = static_cast<std::uint8_t>(size | (WithSigns ? (all >> 24) & 0x80u : 0u));
  });
}

void encode_block(const float* from, std::size_t n, std::uint8_t* to, float& scale, chances chance) {
  float largest = 0;
  std::uint32_t signs = 0, strange = 0;
  for (std::size_t i = 0; i < n; ++i) {
    const float size = of_bits(bits_of(from[i]) & 0x7fffffffu);
    largest = size > largest ? size : largest;
    signs |= from[i] < 0 ? 1u : 0u;
    strange |= is_finite(bits_of(from[i])) ? 0u : 1u;
  }
  if (strange) largest = std::numeric_limits<float>::infinity();
  const float least = std::numeric_limits<float>::min(), of_block = largest / largest_code;
  const float size = of_block > least ? of_block : least;
  scale = signs ? -size : size;
  const float inverse = strange ? 0 : 1 / size;
  if (signs) encode<true>(from, n, inverse, to, chance);
  else encode<false>(from, n, inverse, to, chance);
}

}  // namespace

template <class Arch>
[[gnu::flatten]] void read(const stored_array& from, std::size_t first, std::size_t n, float* to) {
  switch (from.type) {
    case number_type::bfloat16: {
      const auto* const upper = static_cast<const std::uint16_t*>(from.data) + first;
      if (from.rest) return read_halves(upper, static_cast<const std::int16_t*>(from.rest) + first, n, to);
      return read_bfloat16(upper, n, to);
    }
    case number_type::float16: {
      const auto* const halves = static_cast<const float16*>(from.data) + first;
      if (from.rest) return read_with_floats(halves, static_cast<const float*>(from.rest) + first, n, to);
      return read_float16(halves, n, to);
    }
    case number_type::eight_bits:
      for (std::size_t begin = 0; begin < n; begin += block_elements) {
        const std::size_t count = n - begin < block_elements ? n - begin : block_elements;
        const auto* const codes = static_cast<const std::uint8_t*>(from.data) + first + begin;
        const float scale = static_cast<const float*>(from.rest)[(first + begin) / block_elements];
        if (scale < 0) decode<true>(codes, count, -scale, to + begin);
        else decode<false>(codes, count, scale, to + begin);
      }
      return;
    case number_type::float32:
      for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<const float*>(from.data)[first + i];
      return;
    case number_type::float64:
      for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<float>(static_cast<const double*>(from.data)[first + i]);
      return;
  }
}

template <class Arch>
[[gnu::flatten]] void write(const float* from, const stored_array& to, std::size_t first, std::size_t n, rounding how) {
  const chances chance(how.stream.value_or(0), first);
  switch (to.type) {
    case number_type::bfloat16: {
      auto* const upper = static_cast<bfloat16*>(to.data) + first;
      if (to.rest)
        return write_halves(from, n, static_cast<std::uint16_t*>(to.data) + first, static_cast<std::int16_t*>(to.rest) + first);
      return how.stream ? write_by_chance(from, n, upper, chance) : write_nearest(from, n, upper);
    }
    case number_type::float16: {
      auto* const halves = static_cast<float16*>(to.data) + first;
      if (to.rest)
        for (std::size_t i = 0; i < n; ++i) static_cast<float*>(to.rest)[first + i] = from[i];
      return how.stream && !to.rest ? write_by_chance(from, n, halves, chance) : write_nearest(from, n, halves);
    }
    case number_type::eight_bits:
      for (std::size_t begin = 0; begin < n; begin += block_elements)
        encode_block(from + begin, n - begin < block_elements ? n - begin : block_elements,
                     static_cast<std::uint8_t*>(to.data) + first + begin,
                     static_cast<float*>(to.rest)[(first + begin) / block_elements],
                     chances(how.stream.value_or(0), first + begin));
      return;
    case number_type::float32:
      for (std::size_t i = 0; i < n; ++i) static_cast<float*>(to.data)[first + i] = from[i];
      return;
    case number_type::float64:
      for (std::size_t i = 0; i < n; ++i) static_cast<double*>(to.data)[first + i] = static_cast<double>(from[i]);
      return;
  }
}

template void read<xsimd::default_arch>(const stored_array&, std::size_t, std::size_t, float*);
template void write<xsimd::default_arch>(const float*, const stored_array&, std::size_t, std::size_t, rounding);

}  // namespace thalweg::passes
