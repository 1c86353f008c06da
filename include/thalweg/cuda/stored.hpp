// How a thread reads and writes an array: of the computation's type in place, or of any type, as it is stored. All
// threads of a block have arrays of the same types, so they take the same branches.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include <thalweg/core/stored.hpp>
#include <thalweg/core/widening.hpp>
#include <thalweg/cuda/packet.hpp>

namespace thalweg::cuda::detail {

using namespace thalweg::detail;

/// An array of T.
template <class T>
struct in_place {
  T* data;

  constexpr explicit in_place(const stored_array& a, const rounding& = {}) : data(static_cast<T*>(a.data)) {}

  [[nodiscard]] constexpr bool aligned() const { return is_aligned(data); }
  template <std::size_t Width>
  [[nodiscard]] constexpr packet<T, Width> fetch(std::size_t i) const { return packet<T, Width>::load(data + i); }
  template <std::size_t Width>
  [[nodiscard]] constexpr packet<T, Width> widened(const packet<T, Width>& p) const { return p; }
  template <std::size_t Width>
  constexpr void store(const packet<T, Width>& p, std::size_t i) const { p.store(data + i); }
};

/// Numbers on their way from memory, as they are there: a thread asks for all arrays before it waits for one.
template <std::size_t Width, bool HasRest>
struct fetched {
  std::uint32_t words[Width], rest[HasRest ? Width : 1];
};

/// An array of float32, bfloat16 or float16. `HasRest`: it may have the rest of its numbers beside it.
template <bool HasRest>
class as_stored {
  using rounded = widening<one_number>;

  stored_array where_;
  rounding how_;

public:
  constexpr explicit as_stored(const stored_array& a, const rounding& how = {}) : where_(a), how_(how) {}

  [[nodiscard]] constexpr bool aligned() const {  // what is beside it is, too
    return reinterpret_cast<std::uintptr_t>(where_.data) % (is_float32() ? 16 : 8) == 0;
  }

  template <std::size_t Width>
  [[nodiscard, gnu::always_inline]] constexpr fetched<Width, HasRest> fetch(std::size_t i) const {
    fetched<Width, HasRest> f;
    load<Width>(where_.data, is_float32(), i, f.words);
    if constexpr (HasRest)
      if (where_.rest) load<Width>(where_.rest, !is_bfloat16(), i, f.rest);
    return f;
  }

  /// The floats of what `fetch` returned.
  template <std::size_t Width>
  [[nodiscard, gnu::always_inline]] constexpr packet<float, Width> widened(const fetched<Width, HasRest>& f) const {
    packet<float, Width> p;
    for (std::size_t w = 0; w < Width; ++w) {
      if (is_float32()) {
        p.values[w] = rounded::of_bits(f.words[w]);
      } else if (is_bfloat16()) {
        std::uint32_t all = half<Width>(f.words, w) << 16;
        if constexpr (HasRest)
          if (where_.rest) all += (half<Width>(f.rest, w) ^ 0x8000u) - 0x8000u;  // which may be negative
        p.values[w] = rounded::of_bits(all);
      } else {
        const std::uint32_t now = half<Width>(f.words, w);
        p.values[w] = rounded::of_float16(now);
        if constexpr (HasRest)
          if (where_.rest)  // the floats, unless the user has written other numbers
            if (const float known = rounded::of_bits(f.rest[w]); rounded::nearest_float16(known) == now) p.values[w] = known;
      }
    }
    return p;
  }

  template <std::size_t Width>
  [[gnu::always_inline]] constexpr void store(const packet<float, Width>& p, std::size_t i) const {
    if (is_float32()) return p.store(static_cast<float*>(where_.data) + i);
    const auto store_halves = [&](void* to, auto number_of) {
      packet<std::uint16_t, Width> all;
      for (std::size_t w = 0; w < Width; ++w) all.values[w] = static_cast<std::uint16_t>(number_of(w));
      all.store(static_cast<std::uint16_t*>(to) + i);
    };
    if constexpr (HasRest)
      if (where_.rest) {
        if (is_bfloat16()) {
          store_halves(where_.data, [&](std::size_t w) { return rounded::exact_bfloat16(p.values[w]); });
          store_halves(where_.rest, [&](std::size_t w) { return rounded::bits_of(p.values[w]); });
        } else {
          store_halves(where_.data, [&](std::size_t w) { return rounded::nearest_float16(p.values[w]); });
          p.store(static_cast<float*>(where_.rest) + i);
        }
        return;
      }
    if (how_.stream) {
      const chances_from chances(*how_.stream, i);
      store_halves(where_.data, [&](std::size_t w) {
        return is_bfloat16() ? rounded::bfloat16_by_chance(p.values[w], chances[w])
                             : rounded::float16_by_chance(p.values[w], chances[w]);
      });
    } else {
      store_halves(where_.data, [&](std::size_t w) {
        return is_bfloat16() ? rounded::nearest_bfloat16(p.values[w]) : rounded::nearest_float16(p.values[w]);
      });
    }
  }

private:
  [[nodiscard]] constexpr bool is_float32() const { return where_.type == number_type::float32; }
  [[nodiscard]] constexpr bool is_bfloat16() const { return where_.type == number_type::bfloat16; }

  // Two numbers of 16 bits in a word, unless there is one alone.
  template <std::size_t Width>
  [[gnu::always_inline]] static constexpr void load(const void* from, bool floats, std::size_t i, std::uint32_t* to) {
    const auto* const first = static_cast<const std::byte*>(from) + i * (floats ? 4 : 2);
    if (floats) {
      std::memcpy(to, __builtin_assume_aligned(first, 4 * Width), 4 * Width);
    } else if constexpr (Width == 1) {
      std::uint16_t one;
      std::memcpy(&one, __builtin_assume_aligned(first, 2), 2);
      *to = one;
    } else {
      std::memcpy(to, __builtin_assume_aligned(first, 2 * Width), 2 * Width);
    }
  }
  template <std::size_t Width>
  [[gnu::always_inline]] static constexpr std::uint32_t half(const std::uint32_t* words, std::size_t w) {
    return Width == 1 ? words[0] : words[w / 2] >> 16 * (w % 2) & 0xffffu;
  }
};

/// How a pass sees the arrays of a parameter: `array` is any, `parameter` may have a rest.
template <class T>
struct all_in_place {
  using array = in_place<T>;
  using parameter = in_place<T>;
};
struct all_as_stored {
  using array = as_stored<false>;
  using parameter = as_stored<true>;
};
/// Any array, where speed does not matter.
template <class T>
struct any_array { using type = in_place<T>; };
template <>
struct any_array<float> { using type = as_stored<true>; };

}  // namespace thalweg::cuda::detail
