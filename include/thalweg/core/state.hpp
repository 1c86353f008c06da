// Named state: what a transform remembers between steps, declared as a type.
//
//     using states = state<zeros<"momentum">, copy_of_param<"z">, scalar<"beta">>;
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <string_view>
#include <tuple>
#include <utility>

namespace thalweg {

/// A string as a template argument.
template <std::size_t N>
struct fixed_string {
  char text[N]{};
  constexpr fixed_string(const char (&literal)[N]) { std::copy_n(literal, N, text); }  // NOLINT: implicit by intent
  [[nodiscard]] constexpr std::string_view view() const { return {text, N - 1}; }
};

enum class slot_kind { array, scalar };

/// An array of the parameter's shape that starts at zero.
template <fixed_string Name>
struct zeros {
  static constexpr std::string_view name = Name.view();
  static constexpr slot_kind kind = slot_kind::array;
  template <class Transform, class T>
  static constexpr T initial(const Transform&, T) { return T(0); }
};

/// An array that starts as a copy of the parameter.
template <fixed_string Name>
struct copy_of_param {
  static constexpr std::string_view name = Name.view();
  static constexpr slot_kind kind = slot_kind::array;
  template <class Transform, class T>
  static constexpr T initial(const Transform&, T parameter) { return parameter; }
};

/// An array that starts at the value of one of the transform's fields: `filled<"sum", &adagrad::initial>`.
template <fixed_string Name, auto Field>
struct filled {
  static constexpr std::string_view name = Name.view();
  static constexpr slot_kind kind = slot_kind::array;
  template <class Transform, class T>
  static constexpr T initial(const Transform& transform, T) { return static_cast<T>(transform.*Field); }
};

/// One double a route, handed to `at` behind the context and returned with `next(…, value)`. It starts at zero, or
/// at the value of one of the transform's fields.
template <fixed_string Name, auto... Field>
struct scalar {
  static constexpr std::string_view name = Name.view();
  static constexpr slot_kind kind = slot_kind::scalar;
  template <class Transform>
  static constexpr double initial(const Transform& transform) { return (0.0 + ... + (transform.*Field)); }
};

template <class... Slots>
struct state {
  static constexpr std::array<std::string_view, sizeof...(Slots)> names{Slots::name...};
  static constexpr std::size_t arrays = (std::size_t{0} + ... + (Slots::kind == slot_kind::array));
  static constexpr std::size_t scalars = sizeof...(Slots) - arrays;

  static constexpr bool distinct = [] {
    for (std::size_t i = 0; i < names.size(); ++i)
      for (std::size_t j = 0; j < i; ++j)
        if (names[i] == names[j]) return false;
    return true;
  }();
  static_assert(distinct, "thalweg: two states of one name in this state<…>; each slot needs its own name");
};

}  // namespace thalweg
