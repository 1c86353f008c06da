// Hyper-parameters: the name, the member and the range of each, written once, beside the field.
//
//     double beta = 0.95;
//     static constexpr auto fields = list{field{"beta", &nesterov_ema::beta, from(0).below(1)}};
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>
#include <variant>

#include <thalweg/core/error.hpp>
#include <thalweg/core/list.hpp>
#include <thalweg/core/range.hpp>
#include <thalweg/core/required.hpp>
#include <thalweg/core/scalar.hpp>

namespace thalweg {

template <class Transform, class Value>
struct field {
  std::string_view name;
  Value Transform::*member;
  range allowed{};
  using value_type = detail::given_value<Value>;
  static constexpr bool is_required = detail::is_required<Value>;

  [[nodiscard]] constexpr const value_type& of(const Transform& transform) const { return transform.*member; }
  [[nodiscard]] constexpr bool is_given(const Transform&) const { return true; }
};

/// A field that may be absent. An absent field is not written to a chain's text. No schedule changes it.
template <class Transform, class Value>
struct field<Transform, std::optional<Value>> {
  std::string_view name;
  std::optional<Value> Transform::*member;
  range allowed{};
  using value_type = Value;
  static constexpr bool is_required = false;

  [[nodiscard]] constexpr const value_type& of(const Transform& transform) const { return *(transform.*member); }
  [[nodiscard]] constexpr bool is_given(const Transform& transform) const { return (transform.*member).has_value(); }
};

template <class Transform, class Value>
field(const char*, Value Transform::*, range) -> field<Transform, Value>;
template <class Transform, class Value>
field(const char*, Value Transform::*) -> field<Transform, Value>;

/// A number as the value of a field. A whole-number field takes the nearest whole number that a double can count to.
template <class Value>
constexpr Value field_value(double x) {
  using number = detail::given_value<Value>;
  if constexpr (std::is_integral_v<number>) {
    constexpr double most = 0x1p53;
    return x != x ? number(-1) : static_cast<number>(min(max(x, -most), most) + (x < 0 ? -0.5 : 0.5));
  } else {
    return static_cast<number>(x);
  }
}

template <class Transform>
concept has_fields = requires { Transform::fields; };

/// f(field) for each of `fields`, which may be a std::tuple as well.
template <class Fields, class F>
constexpr void for_each_field(const Fields& fields, F&& f) {
  if constexpr (requires { fields.for_each(f); }) fields.for_each(f);
  else std::apply([&](const auto&... field) { (f(field), ...); }, fields);
}
template <has_fields Transform, class F>
constexpr void for_each_field(F&& f) {
  for_each_field(Transform::fields, f);
}

namespace detail {
struct unsaid {
  template <class Value>
  constexpr operator required<Value>() const {
    if constexpr (std::is_arithmetic_v<Value>) return Value(1);
    else return Value();
  }
};

template <class Transform>
constexpr std::size_t required_fields() {
  std::size_t count = 0;
  if constexpr (has_fields<Transform>)
    for_each_field<Transform>([&](const auto& f) { count += f.is_required; });
  return count;
}

/// The transform with the defaults of its fields. A required field is 1 or an empty text, to be replaced.
template <class Transform>
constexpr Transform with_defaults() {
  return []<std::size_t... I>(std::index_sequence<I...>) {
    return Transform{(static_cast<void>(I), unsaid())...};
  }(std::make_index_sequence<required_fields<Transform>()>());
}
}  // namespace detail

namespace detail {
/// A number as the type T of the kernels has it. Not a template over T itself: float and double share `check_fields`.
using rounding_to_type = double (*)(double);
template <class T>
constexpr double rounded_to(double value) { return static_cast<double>(saturated<T>(value)); }
}  // namespace detail

/// Throws if a field is out of range, also after `rounded`: an ε that becomes 0, a β that becomes 1.
template <has_fields Transform>
constexpr void check_fields(std::string_view where, const Transform& transform,
                            detail::rounding_to_type rounded = &detail::rounded_to<double>) {
  const auto check = [&](const auto& f) {
    if (!f.is_given(transform)) return;
    using value_type = typename std::remove_cvref_t<decltype(f)>::value_type;
    if constexpr (std::is_arithmetic_v<value_type>) {
      const auto value = static_cast<double>(f.of(transform));
      check_in_range(where, f.name, value, f.allowed);
      if (std::is_floating_point_v<value_type> && !f.allowed.contains(rounded(value)))
        detail::refuse_value(where, f.name, value, f.allowed, " when rounded to float32 as well");
    } else if constexpr (has_fields<value_type>) {
      check_fields(where, f.of(transform), rounded);
    } else if constexpr (requires { f.of(transform).index(); }) {  // a variant of named choices
      std::visit([&](const auto& choice) {
        if constexpr (has_fields<std::remove_cvref_t<decltype(choice)>>) check_fields(where, choice, rounded);
      }, f.of(transform));
    }
  };
  for_each_field<Transform>(check);
}

/// Calls f(field) for the field of `Transform` at `member`, which may be in a base class.
template <has_fields Transform, class Owner, class Value, class F>
constexpr void on_field(Value Owner::*member, F f) {
  const auto compare = [&](const auto& field) {
    if constexpr (std::is_same_v<decltype(field.member), Value Owner::*>)
      if (field.member == member) f(field);
  };
  for_each_field<Transform>(compare);
}

/// The range of the field at `member`. A recipe whose option becomes that field states the range with this function.
template <class Transform, class Value>
constexpr range range_of(Value Transform::*member) {
  range allowed;
  on_field<Transform>(member, [&](const auto& field) { allowed = field.allowed; });
  return allowed;
}

}  // namespace thalweg
