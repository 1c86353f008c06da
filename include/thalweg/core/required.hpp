// A field without a default.
#pragma once

#include <concepts>
#include <type_traits>
#include <utility>

namespace thalweg {

/// The value of a field that has no sensible default: `cosine{.steps = 1000}` compiles, `cosine{}` does not. Required fields
/// come before all others.
///
///     required<long> steps;
///     double final = 0;
template <class Value>
class required {
  Value value_;

public:
  required() = delete;  // give the field a value when you make the transform
  template <std::convertible_to<Value> Given>
    requires(!std::is_integral_v<Value> || !std::is_floating_point_v<Given>)
  constexpr required(Given value) : value_(static_cast<Value>(std::move(value))) {}  // NOLINT: implicit by intent
  constexpr operator const Value&() const { return value_; }                        // NOLINT: the same
};

namespace detail {
template <class Value>
inline constexpr bool is_required = false;
template <class Value>
inline constexpr bool is_required<required<Value>> = true;

template <class Value>
struct given {
  using type = Value;
};
template <class Value>
struct given<required<Value>> {
  using type = Value;
};
template <class Value>
using given_value = typename given<Value>::type;
}  // namespace detail

}  // namespace thalweg
