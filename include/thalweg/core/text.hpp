// The names of transforms, and their text in a chain.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include <thalweg/core/field.hpp>
#include <thalweg/core/recipe.hpp>

namespace thalweg {

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

namespace detail {
template <class T>
inline constexpr std::string_view name_of_type = type_name<T>();
}

/// The name of a transform: its own `name` if it has one, else the name of its type.
template <class Transform>
constexpr std::string_view name_of(const Transform& transform) {
  if constexpr (requires { std::string_view(transform.name); }) return transform.name;
  else return detail::name_of_type<Transform>;
}

template <has_fields Transform>
  requires(!recipe<Transform>)
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

/// `"*.bias"`, or between the other marks what holds such a mark.
inline std::string quotation(std::string_view text) {
  const std::string_view mark = text.find('"') == text.npos ? "\"" : "'";
  return in_words(mark, text, mark);
}

/// `name(one, another)`, or the name alone.
template <class... Arguments>
std::string call_text(std::string_view name, const Arguments&... arguments) {
  std::string text;
  ((text += in_words(text.empty() ? "(" : ", ", arguments)), ...);
  return in_words(name, text, text.empty() ? "" : ")");
}

/// `nesterov_ema(beta=0.95, look_ahead=interpolate)`, `name_matches(pattern="*.bias")`
template <has_fields Transform>
  requires(!recipe<Transform>)
std::string to_text(const Transform& transform) {
  std::string text;
  for_each_field<Transform>([&](const auto& f) {
    using value = typename std::remove_cvref_t<decltype(f)>::value_type;
    if (!f.is_given(transform)) return;
    text += in_words(text.empty() ? "(" : ", ", f.name, "=");
    if constexpr (std::is_same_v<value, std::string>) text += quotation(f.of(transform));
    else text += in_words(f.of(transform));
  });
  return in_words(name_of(transform), text, text.empty() ? "" : ")");
}

/// The name of the field at `place`.
template <class Transform, class Value, class Owner>
std::string_view name_of_field(const Transform&, Value Owner::*member) {
  std::string_view name = "unnamed";
  if constexpr (has_fields<Transform>) on_field<Transform>(member, [&](const auto& field) { name = field.name; });
  return name;
}

}  // namespace thalweg
