// Numbers of 16 bits become floats, and floats are rounded to them: one source for the host, whose registers hold many
// numbers, and for a thread of a GPU, which has one.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

#include <thalweg/core/stored.hpp>

namespace thalweg::detail {

/// A word of 32 bits and a float. A mask is a word with all bits set, or none.
struct one_number {
  using words = std::uint32_t;
  using floats = float;
  static constexpr words bits_of(floats x) { return std::bit_cast<words>(x); }
  static constexpr floats of_bits(words bits) { return std::bit_cast<floats>(bits); }
  static constexpr words mask_of(bool b) { return b ? ~words{0} : 0; }
  static constexpr words select(words mask, words yes, words no) { return mask ? yes : no; }
  /// a < b for numbers below 2³¹.
  static constexpr words less(words a, words b) { return mask_of(a < b); }
  static constexpr floats to_floats(words x) { return static_cast<floats>(static_cast<std::int32_t>(x)); }
  static constexpr words to_words(floats x) { return static_cast<words>(static_cast<std::int32_t>(x)); }
};

/// `Numbers`: one_number, or registers with the same functions. A number of 16 bits is the lower half of a word.
template <class Numbers>
struct widening : Numbers {
  using words = typename Numbers::words;
  using floats = typename Numbers::floats;
  using Numbers::bits_of, Numbers::of_bits, Numbers::mask_of, Numbers::select, Numbers::less, Numbers::to_floats,
      Numbers::to_words;

  // ---- bfloat16

  /// The upper half of x with something added to its lower one. A NaN stays one, whatever its bits.
  [[gnu::always_inline]] static constexpr words upper_half(floats x, words added) {
    return ((bits_of(x) + added) | (mask_of(x != x) & 0x7fc00000u)) >> 16;
  }
  [[gnu::always_inline]] static constexpr words nearest_bfloat16(floats x) {
    return upper_half(x, ((bits_of(x) >> 16) & 1u) + 0x7fffu);
  }
  /// `chance`: 32 random bits.
  [[gnu::always_inline]] static constexpr words bfloat16_by_chance(floats x, words chance) {
    const words below_last = less(bits_of(x) & 0x7fffffffu, words{} + 0x7f7f0000u);  // else it would become infinite
    return upper_half(x, (chance >> 16) & below_last);
  }
  /// The upper half that a lower half goes with: x is upper·2¹⁶ + lower, which may be negative.
  [[gnu::always_inline]] static constexpr words exact_bfloat16(floats x) { return upper_half(x, words{} + 0x8000u); }

  // ---- float16

  [[gnu::always_inline]] static constexpr floats of_float16(words half) {
    const words sign = (half & 0x8000u) << 16, size = half & 0x7fffu;
    const words small = bits_of(to_floats(size) * 0x1p-24f);
    const words exponent = select(less(size, words{} + 0x7c00u), words{} + (std::uint32_t{127 - 15} << 23),
                                  words{} + (std::uint32_t{255 - 31} << 23));
    return of_bits(sign | select(less(size, words{} + 0x400u), small, (size << 13) + exponent));
  }
  [[gnu::always_inline]] static constexpr words nearest_float16(floats x) {
    const words all = bits_of(x), size = all & 0x7fffffffu;
    // 2²³ + k rounds to whole numbers, ties to even.
    const floats scaled = of_bits(select(less(size, words{} + 0x38800000u), size, words{})) * 0x1p24f;
    const floats rounded = (scaled + 0x1p23f) - 0x1p23f;
    return to_float16(all, ((size >> 13) & 1u) + 0xfffu, rounded - scaled);
  }
  [[gnu::always_inline]] static constexpr words float16_by_chance(floats x, words chance) {
    const floats unit = to_floats(chance >> 8) * 0x1p-24f;
    const words all = bits_of(x), size = all & 0x7fffffffu;
    const words is_last = less(words{} + 0x477fe000u, size);  // beyond 65504
    return to_float16(all, select(is_last, words{} + 0xfffu, chance >> 19), unit);
  }

  // ---- chance

  /// Random words, of which the upper bits are good: `chance_sequences` sequences take turns, whatever the registers'
  /// width, anew for each block of numbers. `of_block`: of that block; `number`: of the sequence.
  [[gnu::always_inline]] static constexpr words begin_chance(std::uint64_t of_block, words number) {
    words x = number * 0x9e3779b9u;
    x = (x + static_cast<std::uint32_t>(of_block)) ^ static_cast<std::uint32_t>(of_block >> 32);
    x = (x ^ (x >> 16)) * 0x7feb352du;  // the finaliser by C. Wellons ("lowbias32")
    x = (x ^ (x >> 15)) * 0x846ca68bu;
    return x ^ (x >> 16);
  }

private:
  /// `below`: what is added to the 13 bits that are lost, and `unit`: to a multiple of 2⁻²⁴, before the rest is cut.
  [[gnu::always_inline]] static constexpr words to_float16(words all, words below, floats unit) {
    const words size = all & 0x7fffffffu, sign = (all >> 16) & 0x8000u;
    const words is_small = less(size, words{} + 0x38800000u);
    const floats scaled = of_bits(select(is_small, size, words{})) * 0x1p24f + unit;
    const words small = to_words(scaled);
    const words large = (size - (std::uint32_t{127 - 15} << 23) + below) >> 13;
    const words finite = select(is_small, small, large);
    const words infinite = select(less(words{} + 0x7f800000u, size), words{} + 0x7e00u, words{} + 0x7c00u);
    return sign | select(less(size, words{} + 0x477ff000u), finite, infinite);  // from 65520 on
  }
};

inline constexpr std::uint32_t chance_sequences = 16;
/// The next word of a sequence is x·multiplier + increment (those of PCG32).
inline constexpr std::uint32_t chance_multiplier = 747796405u, chance_increment = 2891336453u;

/// The random words of elements from `first` on, of one turn of the sequences: for threads that do not go through a
/// block in its order.
class chances_from {
  std::uint64_t of_block_;
  std::uint32_t number_, multiplier_ = 1, increment_ = 0;

public:
  constexpr chances_from(std::uint64_t stream, std::size_t first)
      : of_block_(scrambled(stream, std::uint64_t{first / block_elements})),
        number_(static_cast<std::uint32_t>(first % chance_sequences)) {
    // All steps to this turn at once: 1, 2, 4, … steps are composed.
    constexpr std::size_t turns = block_elements / chance_sequences;
    const std::size_t steps = first % block_elements / chance_sequences + 1;
    std::uint32_t multiplier = chance_multiplier, increment = chance_increment;
    for (std::size_t bit = 1; bit <= turns; bit *= 2) {
      if (steps & bit) {
        multiplier_ *= multiplier;
        increment_ = increment_ * multiplier + increment;
      }
      increment *= multiplier + 1;
      multiplier *= multiplier;
    }
  }
  /// Of the element `first + i`.
  constexpr std::uint32_t operator[](std::size_t i) const {
    const std::uint32_t number = number_ + static_cast<std::uint32_t>(i);
    return widening<one_number>::begin_chance(of_block_, number) * multiplier_ + increment_;
  }
};

}  // namespace thalweg::detail
