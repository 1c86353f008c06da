// What numbers are called in a file, and how they are read from it.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/core/error.hpp>
#include <thalweg/core/stored.hpp>

namespace thalweg::detail {

/// What an element of an array is in the file.
struct element_type {
  std::string_view dtype;
  std::size_t bytes;
};
constexpr element_type element_of(number_type t) {
  constexpr std::array<std::string_view, 5> names{"F32", "F64", "BF16", "F16", "U8"};
  return {names[static_cast<std::size_t>(t)], bytes_of(t)};
}
/// Of `stored_array::rest`.
constexpr element_type element_of_rest(number_type t) {
  return t == number_type::bfloat16 ? element_type{"I16", 2} : element_of(number_type::float32);
}
/// The array's name in a file is `parameter/` and this.
constexpr std::string_view name_of_rest(number_type t) { return t == number_type::bfloat16 ? "lower_half" : "in_float32"; }
inline std::string name_of_scales(std::string_view of_eight_bits) { return in_words(of_eight_bits, ".scales"); }

inline std::optional<number_type> number_type_of_dtype(std::string_view dtype) {
  for (const auto t : {number_type::float32, number_type::float64, number_type::bfloat16, number_type::float16, number_type::eight_bits})
    if (element_of(t).dtype == dtype) return t;
  return {};
}

/// The numbers of an array in a file, as double. `rest`: the scales, if the array is in eight bits.
inline std::vector<double> numbers_of(number_type type, const std::byte* values, std::span<const std::byte> rest, std::size_t n) {
  std::vector<double> all(n);
  if (type == number_type::float64) {
    std::memcpy(all.data(), values, n * sizeof(double));
    return all;
  }
  std::vector<std::uint64_t> memory((n * bytes_of(type) + 7) / 8);
  std::vector<float> scales(rest.size() / sizeof(float)), in_float(n);
  std::memcpy(memory.data(), values, n * bytes_of(type));
  std::ranges::copy(rest, std::as_writable_bytes(std::span(scales)).begin());
  detail::read({memory.data(), type, rest.empty() ? nullptr : scales.data()}, 0, n, in_float.data());
  std::ranges::copy(in_float, all.begin());
  return all;
}

}  // namespace thalweg::detail
