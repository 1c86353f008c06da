// How numbers are stored. Kernels compute in float or double: numbers are widened when read, and rounded when written.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include <thalweg/core/sixteen_bits.hpp>

namespace thalweg {

/// The types in which arrays are stored. `eight_bits`: blocks of 256 numbers with a scale.
enum class number_type : unsigned char { float32, float64, bfloat16, float16, eight_bits };

/// How 16-bit parameters are rounded.
enum class weights_in {
  exact,      ///< training equals that of float32, bit for bit: state keeps the lower bits
  nearest,    ///< each step rounds to nearest: changes below half a unit are lost
  stochastic  ///< each step rounds up or down at random, so that the mean is correct
};

/// The type of state. It applies to arrays that start at a constant (momenta, second moments). Copies of the parameter
/// (the fast sequence z, averages) keep the type of the computation: if rounded, they would stop changing.
enum class state_in { same, float32, bfloat16, eight_bits };

constexpr std::string_view to_text(number_type t) {
  constexpr std::array<std::string_view, 5> names{"float32", "float64", "bfloat16", "float16", "eight_bits"};
  return names[static_cast<std::size_t>(t)];
}

constexpr std::string_view to_text(state_in s) {
  constexpr std::array<std::string_view, 4> names{"same", "float32", "bfloat16", "eight_bits"};
  return names[static_cast<std::size_t>(s)];
}
constexpr std::string_view to_text(weights_in w) {
  constexpr std::array<std::string_view, 3> names{"exact", "nearest", "stochastic"};
  return names[static_cast<std::size_t>(w)];
}

namespace detail {
template <class T>
struct number_type_of { static_assert(sizeof(T) == 0, "thalweg: parameters are float or double, or of 16 bits and trained in float"); };
template <>
struct number_type_of<float> { static constexpr number_type value = number_type::float32; };
template <>
struct number_type_of<double> { static constexpr number_type value = number_type::float64; };
template <>
struct number_type_of<bfloat16> { static constexpr number_type value = number_type::bfloat16; };
template <>
struct number_type_of<float16> { static constexpr number_type value = number_type::float16; };
template <class T>
inline constexpr number_type type_of = number_type_of<T>::value;

constexpr std::size_t bytes_of(number_type t) {
  constexpr std::array<std::size_t, 5> bytes{4, 8, 2, 2, 1};
  return bytes[static_cast<std::size_t>(t)];
}

/// The number of elements that share a scale.
inline constexpr std::size_t block_elements = 256;
constexpr std::size_t blocks_of(std::size_t n) { return (n + block_elements - 1) / block_elements; }

/// An array as it is stored.
struct stored_array {
  void* data = nullptr;
  number_type type = number_type::float32;
  /// The rest of the numbers. bfloat16: the lower halves (std::int16_t), or null. float16: the floats, or null.
  /// eight_bits: the scales of the blocks (float).
  void* rest = nullptr;

  template <class T>
  [[nodiscard]] T* as() const {
    return type == type_of<T> && !rest ? static_cast<T*>(data) : nullptr;
  }
};

/// The number of bytes of `stored_array::rest` for n numbers, if there is one.
constexpr std::size_t bytes_of_rest(number_type t, std::size_t n) {
  return t == number_type::bfloat16 ? n * sizeof(std::int16_t) : (t == number_type::eight_bits ? blocks_of(n) : n) * sizeof(float);
}

/// The same for n numbers of a state.
constexpr std::size_t bytes_beside_state(number_type t, std::size_t n) {
  return t == number_type::eight_bits ? bytes_of_rest(t, n) : 0;
}

// A counter, scrambled (the finaliser of SplitMix64, Steele et al. 2014).
constexpr std::uint64_t scrambled(std::uint64_t stream, std::uint64_t counter) {
  std::uint64_t x = stream + (counter + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr std::uint64_t scrambled(std::uint64_t stream, std::string_view name) {
  for (const char letter : name) stream = scrambled(stream, static_cast<unsigned char>(letter));
  return stream;
}

/// How numbers are rounded to a type: to nearest, or at random. The random number depends only on the stream and on the
/// index of the element.
struct rounding {
  std::optional<std::uint64_t> stream{};
};

/// The elements [first, first + n) as floats, and back. `first` is a multiple of `block_elements`.
void read(const stored_array& from, std::size_t first, std::size_t n, float* to);
void write(const float* from, const stored_array& to, std::size_t first, std::size_t n, rounding how = {});

}  // namespace detail
}  // namespace thalweg
