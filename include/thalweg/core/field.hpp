// Hyper-parameters: the name, the place and the range of each, stated once, beside the field.
//
//     double beta = 0.95;
//     static constexpr auto fields = list{field{"beta", &nesterov_ema::beta, from(0).below(1)}};
#pragma once

#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>

#include <thalweg/core/error.hpp>
#include <thalweg/core/list.hpp>
#include <thalweg/core/range.hpp>
#include <thalweg/core/scalar.hpp>

namespace thalweg {

template <class Transform, class Value>
struct field {
  std::string_view name;
  Value Transform::*place;
  range allowed{};
};
template <class Transform, class Value>
field(const char*, Value Transform::*, range) -> field<Transform, Value>;
template <class Transform, class Value>
field(const char*, Value Transform::*) -> field<Transform, Value>;

/// What a number is as a field's value: of a whole-number field the nearest, within what a double counts.
template <class Value>
constexpr Value field_value(double x) {
  if constexpr (std::is_integral_v<Value>) {
    constexpr double most = 0x1p53;
    return x != x ? Value(-1) : static_cast<Value>(min(max(x, -most), most) + (x < 0 ? -0.5 : 0.5));
  } else {
    return static_cast<Value>(x);
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

/// Throws where a field is out of range, or would be as a T, in which kernels use it: an ε that becomes 0, a β that
/// becomes 1.
template <class T = double, has_fields Transform>
constexpr void check_fields(std::string_view where, const Transform& transform) {
  const auto check = [&](const auto& f) {
    using value_type = std::remove_cvref_t<decltype(transform.*f.place)>;
    if constexpr (std::is_arithmetic_v<value_type>) {
      const auto value = static_cast<double>(transform.*f.place);
      check_in_range(where, f.name, value, f.allowed);
      if (std::is_floating_point_v<value_type> && !f.allowed.contains(static_cast<double>(saturated<T>(value))))
        detail::refuse_value(where, f.name, value, f.allowed, " when rounded to float32 as well");
    } else if constexpr (has_fields<value_type>) {
      check_fields<T>(where, transform.*f.place);
    } else if constexpr (requires { (transform.*f.place).index(); }) {  // a variant of named choices
      std::visit([&](const auto& choice) {
        if constexpr (has_fields<std::remove_cvref_t<decltype(choice)>>) check_fields<T>(where, choice);
      }, transform.*f.place);
    }
  };
  for_each_field<Transform>(check);
}

/// f(field) for the field of `Transform` at `place`, which may be a base's.
template <has_fields Transform, class Owner, class Value, class F>
constexpr void on_field(Value Owner::*place, F f) {
  const auto compare = [&](const auto& field) {
    if constexpr (std::is_same_v<decltype(field.place), Value Owner::*>)
      if (field.place == place) f(field);
  };
  for_each_field<Transform>(compare);
}

/// The range of the field at `place`: what takes its value from an option of its own, states it once.
template <class Transform, class Value>
constexpr range range_of(Value Transform::*place) {
  range allowed;
  on_field<Transform>(place, [&](const auto& field) { allowed = field.allowed; });
  return allowed;
}

}  // namespace thalweg
