// Numbers of 16 and 8 bits become floats, and floats are rounded to them: for the one instruction set for which this file is
// compiled. All of it is arithmetic on groups of numbers that fill a register.
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>
#include <utility>

#include <xsimd/xsimd.hpp>

#include <thalweg/core/stored.hpp>
#include <thalweg/core/widening.hpp>

#include "dispatched.hpp"

namespace thalweg::passes {

namespace {

using detail::block_elements;
using detail::rounding;
using detail::stored_array;

constexpr std::size_t group = xsimd::batch<float>::size;
template <class T>
struct group_of { using type [[gnu::vector_size(group * sizeof(T))]] = T; };
template <class T>
using many = typename group_of<T>::type;
using floats = many<float>;
using words = many<std::uint32_t>;
using whole_numbers = many<std::int32_t>;
using halves = many<std::uint16_t>;
using bytes = many<std::uint8_t>;

#define THALWEG_INLINE [[gnu::always_inline]] inline

template <class To, class From>
THALWEG_INLINE To bits_as(From from) {
  To to;
  static_assert(sizeof to == sizeof from);
  std::memcpy(&to, &from, sizeof to);
  return to;
}
THALWEG_INLINE words bits_of(floats x) { return bits_as<words>(x); }
THALWEG_INLINE floats of_bits(words bits) { return bits_as<floats>(bits); }
// What is made narrower fits the narrower type. g++ 12 makes these of halves of registers.
#if defined(__AVX512F__)
THALWEG_INLINE words wide(halves x) { return bits_as<words>(_mm512_cvtepu16_epi32(bits_as<__m256i>(x))); }
THALWEG_INLINE words wide_signed(halves x) { return bits_as<words>(_mm512_cvtepi16_epi32(bits_as<__m256i>(x))); }
THALWEG_INLINE words wide(bytes x) { return bits_as<words>(_mm512_cvtepu8_epi32(bits_as<__m128i>(x))); }
THALWEG_INLINE halves narrow(words x) { return bits_as<halves>(_mm512_cvtepi32_epi16(bits_as<__m512i>(x))); }
THALWEG_INLINE bytes narrow_to_bytes(words x) { return bits_as<bytes>(_mm512_cvtepi32_epi8(bits_as<__m512i>(x))); }
#elif defined(__AVX2__)
THALWEG_INLINE words wide(halves x) { return bits_as<words>(_mm256_cvtepu16_epi32(bits_as<__m128i>(x))); }
THALWEG_INLINE words wide_signed(halves x) { return bits_as<words>(_mm256_cvtepi16_epi32(bits_as<__m128i>(x))); }
THALWEG_INLINE words wide(bytes x) {
  long long low;
  std::memcpy(&low, &x, sizeof low);
  return bits_as<words>(_mm256_cvtepu8_epi32(_mm_cvtsi64_si128(low)));
}
THALWEG_INLINE halves narrow(words x) {
  const __m256i all = bits_as<__m256i>(x);
  return bits_as<halves>(_mm_packus_epi32(_mm256_castsi256_si128(all), _mm256_extracti128_si256(all, 1)));
}
THALWEG_INLINE bytes narrow_to_bytes(words x) {
  const __m128i by_two = bits_as<__m128i>(narrow(x));
  return bits_as<bytes>(_mm_cvtsi128_si64(_mm_packus_epi16(by_two, by_two)));
}
#else
THALWEG_INLINE words wide(halves x) { return __builtin_convertvector(x, words); }
THALWEG_INLINE words wide_signed(halves x) { return (wide(x) ^ 0x8000u) - 0x8000u; }
THALWEG_INLINE words wide(bytes x) { return __builtin_convertvector(x, words); }
THALWEG_INLINE halves narrow(words x) { return __builtin_convertvector(x, halves); }
THALWEG_INLINE bytes narrow_to_bytes(words x) { return __builtin_convertvector(x, bytes); }
#endif
THALWEG_INLINE words select(words mask, words yes, words no) { return bits_as<whole_numbers>(mask) ? yes : no; }
template <class Compared>
THALWEG_INLINE words mask_of(Compared c) { return bits_as<words>(c); }
THALWEG_INLINE words of(std::uint32_t x) { return words{} + x; }
/// a < b for numbers below 2³¹.
THALWEG_INLINE words less(words a, words b) { return mask_of(bits_as<whole_numbers>(a) < bits_as<whole_numbers>(b)); }

/// The functions that core/widening.hpp declares.
struct many_numbers {
  using words = passes::words;
  using floats = passes::floats;
  THALWEG_INLINE static words bits_of(floats x) { return passes::bits_of(x); }
  THALWEG_INLINE static floats of_bits(words bits) { return passes::of_bits(bits); }
  template <class Compared>
  THALWEG_INLINE static words mask_of(Compared c) { return passes::mask_of(c); }
  THALWEG_INLINE static words select(words mask, words yes, words no) { return passes::select(mask, yes, no); }
  THALWEG_INLINE static words less(words a, words b) { return passes::less(a, b); }
  THALWEG_INLINE static floats to_floats(words x) { return __builtin_convertvector(bits_as<whole_numbers>(x), floats); }
  THALWEG_INLINE static words to_words(floats x) { return bits_as<words>(__builtin_convertvector(x, whole_numbers)); }
};
using rounded = detail::widening<many_numbers>;

/// The random words of a block, group by group.
class chances {
  std::array<words, detail::chance_sequences / group> now_;

public:
  static constexpr std::size_t groups = detail::chance_sequences / group;

  THALWEG_INLINE chances(std::uint64_t stream, std::size_t element) {
    const std::uint64_t of_block = detail::scrambled(stream, element / block_elements);
    for (std::uint32_t g = 0; g < groups; ++g) {
      words number;
      for (std::uint32_t lane = 0; lane < group; ++lane) number[lane] = g * std::uint32_t{group} + lane;
      now_[g] = rounded::begin_chance(of_block, number);
    }
  }
  /// Of the group-th of `groups`.
  THALWEG_INLINE words next(std::size_t g) {
    return now_[g] = now_[g] * detail::chance_multiplier + detail::chance_increment;
  }
};

/// f(place, how many of them are there) for each group of n numbers; all are there but in the last.
template <class F>
THALWEG_INLINE void for_each_group(std::size_t n, F f) {
  std::size_t i = 0;
#pragma GCC unroll 4
  for (; i + group <= n; i += group) f(i, std::integral_constant<std::size_t, group>());
  if (i < n) f(i, n - i);
}

/// f(place, count, chance) for each group of at most a block, with 32 bits of chance for each number.
template <class F>
THALWEG_INLINE void for_each_group(std::size_t n, chances chance, F f) {
  std::size_t i = 0;
  for (; i + group * chances::groups <= n; i += group * chances::groups)
    [&]<std::size_t... G>(std::index_sequence<G...>) {
      (f(i + G * group, std::integral_constant<std::size_t, group>(), chance.next(G)), ...);
    }(std::make_index_sequence<chances::groups>());
  for (std::size_t g = 0; i < n; i += group, ++g) f(i, n - i < group ? n - i : group, chance.next(g));
}
template <class T, class Count>
THALWEG_INLINE many<T> load(const void* memory, std::size_t i, Count count) {
  many<T> values{};
  std::memcpy(&values, static_cast<const T*>(memory) + i, count * sizeof(T));
  return values;
}
template <class T, class Count>
THALWEG_INLINE void store(void* memory, std::size_t i, Count count, many<T> values) {
  std::memcpy(static_cast<T*>(memory) + i, &values, count * sizeof(T));
}
/// What the tile behind the next one reads of an array.
template <class T>
THALWEG_INLINE void fetch_next(const T* memory, std::size_t n) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory) + 2 * n * sizeof(T);
  for (std::size_t byte = 0; byte < n * sizeof(T); byte += 64) __builtin_prefetch(reinterpret_cast<const void*>(begin + byte), 0, 2);
}

/// f(place, count, chance) for each group, with 32 bits of chance for each number.
template <class F>
THALWEG_INLINE void for_each_group_by_chance(std::size_t first, std::size_t n, std::uint64_t stream, F f) {
  for (std::size_t begin = 0; begin < n; begin += block_elements)
    for_each_group(n - begin < block_elements ? n - begin : block_elements, chances(stream, first + begin),
                   [&](std::size_t i, auto count, words chance) { f(begin + i, count, chance); });
}

// ---- eight bits ------------------------------------------------------------------------------------

// Of a block without negative numbers a code is an exponent of 5 bits and 3 digits; else a sign, 4 bits and 3 digits. Code 0
// is zero. The largest code is 15/8. A negative scale says that there are signs.
constexpr float largest_code = 1.875f;
constexpr std::uint32_t exponent_bias(bool with_signs) { return static_cast<std::uint32_t>(127 - (with_signs ? 15 : 31)) << 23; }

template <bool WithSigns>
THALWEG_INLINE void decode(const std::uint8_t* from, std::size_t n, float scale, float* to) {
  for_each_group(n, [=](std::size_t i, auto count) {
    const words code = wide(load<std::uint8_t>(from, i, count));
    const words size = WithSigns ? code & 0x7fu : code, sign = WithSigns ? (code & 0x80u) << 24 : words{};
    const words value = ((size << 20) + exponent_bias(WithSigns)) & mask_of(size != 0u);
    store<float>(to, i, count, of_bits(sign | value) * scale);
  });
}

template <bool WithSigns>
THALWEG_INLINE void encode(const float* from, std::size_t n, float inverse_scale, std::uint8_t* to, chances chance) {
  constexpr std::uint32_t bias = exponent_bias(WithSigns), top = WithSigns ? 127 : 255;
  const float smallest = std::bit_cast<float>((1u << 20) + bias);
  for_each_group(n, chance, [=](std::size_t i, auto count, words r) {
    const words all = bits_of(load<float>(from, i, count));
    const floats x = of_bits(all & 0x7fffffffu) * inverse_scale;
    const words is_small = mask_of(x < smallest);
    const words code = (select(is_small, of(1u << 20), bits_of(x) - bias) + (r >> 12)) >> 20;
    // What is smaller than all codes: by chance, or the smallest where a zero would be divided by.
    const words by_chance = mask_of(x > __builtin_convertvector(bits_as<whole_numbers>(r >> 8), floats) * (0x1p-24f * smallest));
    const words least = WithSigns ? by_chance : mask_of((all & 0x7fffffffu) != 0u);
    const words size = select(is_small, least & 1u, select(less(code, of(top)), code, of(top)));
    store<std::uint8_t>(to, i, count, narrow_to_bytes(size | (WithSigns ? (all >> 24) & 0x80u : words{})));
  });
}

THALWEG_INLINE void encode_block(const float* from, std::size_t n, std::uint8_t* to, float& scale, chances chance) {
  words largest_bits{}, signs{};
  for_each_group(n, [&](std::size_t i, auto count) {
    const floats x = load<float>(from, i, count);
    const words size = bits_of(x) & 0x7fffffffu;  // in the order of the magnitudes, with NaN above infinity
    largest_bits = select(less(largest_bits, size), size, largest_bits);
    signs |= mask_of(x < 0.0f);
  });
  std::uint32_t all = 0, with_signs = 0;
  for (std::size_t lane = 0; lane < group; ++lane) {
    all = all < largest_bits[lane] ? std::uint32_t{largest_bits[lane]} : all;
    with_signs |= signs[lane];
  }
  const bool finite = all < 0x7f800000u;
  const float largest = std::bit_cast<float>(finite ? all : 0x7f800000u), of_block = largest / largest_code;
  const float size = of_block > 0x1p-126f ? of_block : 0x1p-126f;  // the smallest normal number
  scale = with_signs ? -size : size;
  const float inverse = finite ? 1 / size : 0;
  if (with_signs) encode<true>(from, n, inverse, to, chance);
  else encode<false>(from, n, inverse, to, chance);
}

}  // namespace

template <class Arch>
[[gnu::flatten]] void read(const stored_array& from, std::size_t first, std::size_t n, float* to) {
  if (n == 0) return;  // there may be no memory
  const auto at = [&]<class T>(std::type_identity<T>, const void* memory) { return static_cast<const T*>(memory) + first; };
  constexpr std::type_identity<std::uint16_t> half;
  constexpr std::type_identity<float> single;
  switch (from.type) {
    case number_type::bfloat16: {
      const auto* const upper = at(half, from.data);
      fetch_next(upper, n);
      if (!from.rest)
        return for_each_group(n, [=](std::size_t i, auto count) {
          store<std::uint32_t>(to, i, count, wide(load<std::uint16_t>(upper, i, count)) << 16);
        });
      const auto* const lower = at(half, from.rest);
      fetch_next(lower, n);
      return for_each_group(n, [=](std::size_t i, auto count) {  // upper·2¹⁶ + lower, which may be negative
        store<std::uint32_t>(to, i, count, (wide(load<std::uint16_t>(upper, i, count)) << 16) +
                                               wide_signed(load<std::uint16_t>(lower, i, count)));
      });
    }
    case number_type::float16: {
      const auto* const given = at(half, from.data);
      fetch_next(given, n);
      if (!from.rest)
        return for_each_group(n, [=](std::size_t i, auto count) {
          store<float>(to, i, count, rounded::of_float16(wide(load<std::uint16_t>(given, i, count))));
        });
      const auto* const exact = at(single, from.rest);
      fetch_next(exact, n);
      return for_each_group(n, [=](std::size_t i, auto count) {  // the floats, unless the user has written other numbers
        const words now = wide(load<std::uint16_t>(given, i, count));
        const floats known = load<float>(exact, i, count);
        const words is_known = mask_of(rounded::nearest_float16(known) == now);
        store<std::uint32_t>(to, i, count, select(is_known, bits_of(known), bits_of(rounded::of_float16(now))));
      });
    }
    case number_type::eight_bits:
      fetch_next(static_cast<const std::uint8_t*>(from.data) + first, n);
      for (std::size_t begin = 0; begin < n; begin += block_elements) {
        const std::size_t count = n - begin < block_elements ? n - begin : block_elements;
        const auto* const codes = static_cast<const std::uint8_t*>(from.data) + first + begin;
        const float scale = static_cast<const float*>(from.rest)[(first + begin) / block_elements];
        if (scale < 0) decode<true>(codes, count, -scale, to + begin);
        else decode<false>(codes, count, scale, to + begin);
      }
      return;
    case number_type::float32:
      std::memcpy(to, static_cast<const float*>(from.data) + first, n * sizeof(float));
      return;
    case number_type::float64:
      for (std::size_t i = 0; i < n; ++i) to[i] = static_cast<float>(static_cast<const double*>(from.data)[first + i]);
      return;
  }
}

template <class Arch>
[[gnu::flatten]] void write(const float* from, const stored_array& to, std::size_t first, std::size_t n, rounding how) {
  if (n == 0) return;
  switch (to.type) {
    case number_type::bfloat16: {
      auto* const upper = static_cast<std::uint16_t*>(to.data) + first;
      if (to.rest) {
        auto* const lower = static_cast<std::uint16_t*>(to.rest) + first;
        return for_each_group(n, [=](std::size_t i, auto count) {
          const floats x = load<float>(from, i, count);
          store<std::uint16_t>(upper, i, count, narrow(rounded::exact_bfloat16(x)));
          store<std::uint16_t>(lower, i, count, narrow(bits_of(x) & 0xffffu));
        });
      }
      if (how.stream)
        return for_each_group_by_chance(first, n, *how.stream, [=](std::size_t i, auto count, words chance) {
          store<std::uint16_t>(upper, i, count, narrow(rounded::bfloat16_by_chance(load<float>(from, i, count), chance)));
        });
      return for_each_group(n, [=](std::size_t i, auto count) {
        store<std::uint16_t>(upper, i, count, narrow(rounded::nearest_bfloat16(load<float>(from, i, count))));
      });
    }
    case number_type::float16: {
      auto* const given = static_cast<std::uint16_t*>(to.data) + first;
      if (to.rest) std::memcpy(static_cast<float*>(to.rest) + first, from, n * sizeof(float));
      if (how.stream && !to.rest)
        return for_each_group_by_chance(first, n, *how.stream, [=](std::size_t i, auto count, words chance) {
          store<std::uint16_t>(given, i, count, narrow(rounded::float16_by_chance(load<float>(from, i, count), chance)));
        });
      return for_each_group(n, [=](std::size_t i, auto count) {
        store<std::uint16_t>(given, i, count, narrow(rounded::nearest_float16(load<float>(from, i, count))));
      });
    }
    case number_type::eight_bits:
      for (std::size_t begin = 0; begin < n; begin += block_elements)
        encode_block(from + begin, n - begin < block_elements ? n - begin : block_elements,
                     static_cast<std::uint8_t*>(to.data) + first + begin,
                     static_cast<float*>(to.rest)[(first + begin) / block_elements],
                     chances(how.stream.value_or(0), first + begin));
      return;
    case number_type::float32:
      std::memcpy(static_cast<float*>(to.data) + first, from, n * sizeof(float));
      return;
    case number_type::float64:
      for (std::size_t i = 0; i < n; ++i) static_cast<double*>(to.data)[first + i] = static_cast<double>(from[i]);
      return;
  }
}

template void read<xsimd::default_arch>(const stored_array&, std::size_t, std::size_t, float*);
template void write<xsimd::default_arch>(const float*, const stored_array&, std::size_t, std::size_t, rounding);

}  // namespace thalweg::passes
