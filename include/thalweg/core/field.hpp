// Hyper-parameters: the name, the place and the range of each, stated once, beside the field.
//
//     double beta = 0.95;
//     static constexpr auto fields = std::tuple{field{"beta", &nesterov_ema::beta, from(0).below(1)}};
#pragma once

#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <variant>

#include <thalweg/core/error.hpp>
#include <thalweg/core/number.hpp>

namespace thalweg {

/// An interval of numbers, open where not said otherwise: infinity and NaN lie in none.
struct range {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
  bool low_included = false;
  bool high_included = false;

  [[nodiscard]] constexpr range below(double limit) const { return {low, limit, low_included, false}; }
  [[nodiscard]] constexpr range to(double limit) const { return {low, limit, low_included, true}; }
  [[nodiscard]] constexpr bool contains(double x) const {
    return (low_included ? x >= low : x > low) && (high_included ? x <= high : x < high);
  }
};

constexpr range from(double limit) { return {.low = limit, .low_included = true}; }
constexpr range above(double limit) { return {.low = limit}; }
inline constexpr range finite_number{};
inline constexpr range non_negative = from(0);
inline constexpr range positive = above(0);

inline std::string to_text(const range& r) {
  return in_words(r.low_included ? "[" : "(", r.low, ", ", r.high, r.high_included ? "]" : ")");
}

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

/// Throws where a number is out of range; `where` names the owner in the message.
constexpr void check_in_range(std::string_view where, std::string_view name, double value, const range& allowed) {
  if (!allowed.contains(value))
    throw error(where, "Expected ", name, " in ", allowed, ". Received ", value, ".");
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
        throw error(where, "Expected ", f.name, " in ", f.allowed, " when rounded to float32 as well. Received ", value, ".");
    } else if constexpr (has_fields<value_type>) {
      check_fields<T>(where, transform.*f.place);
    } else if constexpr (requires { (transform.*f.place).index(); }) {  // a variant of named choices
      std::visit([&](const auto& choice) {
        if constexpr (has_fields<std::remove_cvref_t<decltype(choice)>>) check_fields<T>(where, choice);
      }, transform.*f.place);
    }
  };
  std::apply([&](const auto&... f) { (check(f), ...); }, Transform::fields);
}

/// f(field) for the field of `Transform` at `place`, which may be a base's.
template <has_fields Transform, class Owner, class Value, class F>
constexpr void on_field(Value Owner::*place, F f) {
  const auto compare = [&](const auto& field) {
    if constexpr (std::is_same_v<decltype(field.place), Value Owner::*>)
      if (field.place == place) f(field);
  };
  std::apply([&](const auto&... fields) { (compare(fields), ...); }, Transform::fields);
}

/// The range of the field at `place`: what takes its value from an option of its own, states it once.
template <class Transform, class Value>
constexpr range range_of(Value Transform::*place) {
  range allowed;
  on_field<Transform>(place, [&](const auto& field) { allowed = field.allowed; });
  return allowed;
}

/// The unqualified name of a type, as it is written in a chain; `...` where it has none (a lambda, a function).
template <class T>
constexpr std::string_view type_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("T = ") + 4);
  text = text.substr(0, text.find_first_of(";]"));
  const auto arguments = text.find('<');
  text = text.substr(0, arguments);
  if (const auto scope = text.rfind("::"); scope != text.npos) text.remove_prefix(scope + 2);
  return text.empty() || text.find_first_of("()") != text.npos ? "..." : text;
}

/// A transform is called by its own `name`, where it has one, or by that of its type.
template <class Transform>
constexpr std::string_view name_of(const Transform& transform) {
  if constexpr (requires { std::string_view(transform.name); }) return transform.name;
  else return type_name<Transform>();
}

template <has_fields Transform>
std::string to_text(const Transform& transform);

/// As it is written in a chain: by its own `text()`, with its fields, or by its name alone.
template <class Transform>
std::string text_of(const Transform& transform) {
  if constexpr (requires { transform.text(); }) return transform.text();
  else if constexpr (has_fields<Transform>) return to_text(transform);
  else return std::string(name_of(transform));
}

template <class... Choices>
std::string to_text(const std::variant<Choices...>& choice) {
  return std::visit([](const auto& c) { return text_of(c); }, choice);
}

/// `name(one, another)`, or the name alone.
template <class... Arguments>
std::string call_text(std::string_view name, const Arguments&... arguments) {
  std::string text;
  ((text += in_words(text.empty() ? "(" : ", ", arguments)), ...);
  return in_words(name, text, text.empty() ? "" : ")");
}

/// `nesterov_ema(beta=0.95, look_ahead=interpolate)`
template <has_fields Transform>
std::string to_text(const Transform& transform) {
  return std::apply([&](const auto&... f) {
    return call_text(name_of(transform), in_words(f.name, "=", transform.*f.place)...);
  }, Transform::fields);
}

/// The name of the field at `place`.
template <class Transform, class Value, class Owner>
std::string_view name_of_field(const Transform&, Value Owner::*place) {
  std::string_view name = "unnamed";
  if constexpr (has_fields<Transform>) on_field<Transform>(place, [&](const auto& field) { name = field.name; });
  return name;
}

}  // namespace thalweg
