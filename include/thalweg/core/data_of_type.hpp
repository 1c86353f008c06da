// Numbers of a type that is known only at run time: for front doors.
#pragma once

#include <string_view>
#include <type_traits>

#include <thalweg/core/error.hpp>
#include <thalweg/core/parameter.hpp>
#include <thalweg/core/stored.hpp>

namespace thalweg::detail {

/// Whether an optimizer of T reads numbers of this type, as parameters and as gradients.
template <class T>
constexpr bool reads(number_type t) {
  return t == type_of<T> || (std::is_same_v<T, float> && bytes_of(t) == 2);
}

/// The types that an optimizer of T reads, as text.
template <class T>
inline constexpr std::string_view what_is_read = std::is_same_v<T, float> ? "float32, bfloat16 or float16" : "float64";

/// Memory of a parameter. If an optimizer of T cannot read it, throws for the function `where`. `mend`: advice.
template <class T>
parameter_data<T> data_of_type(std::string_view where, std::string_view name, void* data, number_type type,
                               std::string_view mend = "") {
  if (!reads<T>(type))
    throw error(where, "Expected ", what_is_read<T>, " for ", in_quotes(name),
                ", because float64 must be the type of all parameters or of none. Received ", type, mend, ".");
  if constexpr (std::is_same_v<T, float>) {
    if (type == number_type::bfloat16) return static_cast<bfloat16*>(data);
    if (type == number_type::float16) return static_cast<float16*>(data);
  }
  return static_cast<T*>(data);
}

}  // namespace thalweg::detail
