// A chain's text, taken apart, and how a transform's fields are read from it: by their names, types and ranges alone.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <thalweg/core/field.hpp>
#include <thalweg/core/text.hpp>

namespace thalweg::text {

struct argument;

/// A name or a number, and what stands in its brackets: `nesterov_ema(beta=0.95)`, `spectral`, `1e-3`.
struct call {
  std::string text;
  std::size_t column = 1;  ///< where it begins, from 1
  std::vector<argument> arguments;
};
using pipe = std::vector<call>;

/// `beta=0.95`, or without a name `ema | scale_by_sign`.
struct argument {
  std::string name;
  std::size_t column = 1;
  pipe value{};
};

/// As it would be written.
std::string to_text(const call& w);
std::string to_text(const argument& a);

/// `[parse] Expected for ema: beta in [0, 1). Received 'bta' at column 5.`
[[noreturn]] void refuse_argument(std::string_view of, const std::string& expected, const argument& given,
                                  std::string_view remark = "");

/// A number that a double or a long holds.
std::optional<double> read_number(const call& w);
std::optional<long> read_whole_number(const call& w);

// An enumerator has a name, other values of the type have none.
template <auto Value>
constexpr bool is_enumerator() {
  std::string_view text = __PRETTY_FUNCTION__;
  return text[text.find("Value = ") + 8] != '(';
}
template <class Enumeration>
constexpr auto enumerators() {
  constexpr std::size_t count = []<std::size_t... I>(std::index_sequence<I...>) {
    return (std::size_t{0} + ... + is_enumerator<static_cast<Enumeration>(I)>());
  }(std::make_index_sequence<16>());
  std::array<Enumeration, count> all{};
  for (std::size_t i = 0; i < count; ++i) all[i] = static_cast<Enumeration>(i);
  return all;
}

/// All values of a type that has finitely many, each with a name: enumerations, and what has `named_values`.
template <class Value>
constexpr auto values_of() {
  if constexpr (std::is_enum_v<Value>) return enumerators<Value>();
  else return named_values(std::type_identity<Value>());
}
template <class Value>
concept named = std::is_enum_v<Value> || requires { named_values(std::type_identity<Value>()); };

template <has_fields Transform>
std::string expected_fields();

/// What a field's value may be: ` in [0, 1)`, ` = interpolate | add_ema`.
template <class Value>
std::string expected_value([[maybe_unused]] const range& allowed) {
  std::string text;
  const auto add = [&](const std::string& choice) { text += (text.empty() ? " = " : " | ") + choice; };
  if constexpr (std::floating_point<Value>) {
    text = in_words(" in ", allowed);
  } else if constexpr (std::integral<Value>) {
    text = in_words(" in ", allowed, ", whole");
  } else if constexpr (named<Value>) {
    for (const auto& value : values_of<Value>()) add(in_words(value));
  } else {
    [&]<class... Choices>(std::type_identity<std::variant<Choices...>>) {
      const auto of = [&]<class Choice>(std::type_identity<Choice>) {
        if constexpr (has_fields<Choice>) add(in_words(type_name<Choice>(), "(", expected_fields<Choice>(), ")"));
        else add(std::string(type_name<Choice>()));
      };
      (of(std::type_identity<Choices>()), ...);
    }(std::type_identity<Value>());
  }
  return text;
}

/// `beta in [0, 1), look_ahead = interpolate | add_ema`
template <has_fields Transform>
std::string expected_fields() {
  std::string text;
  for_each_field<Transform>([&](const auto& field) {
    using value = std::remove_cvref_t<decltype(std::declval<Transform>().*field.place)>;
    text += in_words(text.empty() ? "" : ", ", field.name, expected_value<value>(field.allowed));
  });
  return text;
}

template <class Transform>
Transform read_fields(const call& w, Transform t = {});

/// The value that a word says, if it is one that is allowed.
template <class Value>
std::optional<Value> read_value(const call& w, [[maybe_unused]] const range& allowed) {
  std::optional<Value> read;
  if constexpr (std::floating_point<Value> || std::integral<Value>) {
    const auto value = [&] {
      if constexpr (std::integral<Value>) return read_whole_number(w);
      else return read_number(w);
    }();
    if (value && allowed.contains(static_cast<double>(*value))) read = static_cast<Value>(*value);
  } else if constexpr (named<Value>) {
    for (const auto& value : values_of<Value>())
      if (w.arguments.empty() && w.text == in_words(value)) read = value;
  } else {
    [&]<class... Choices>(std::type_identity<std::variant<Choices...>>) {
      const auto choose = [&]<class Choice>(std::type_identity<Choice>) {
        if (w.text == type_name<Choice>()) read = read_fields<Choice>(w);
      };
      (choose(std::type_identity<Choices>()), ...);
    }(std::type_identity<Value>());
  }
  return read;
}

/// A transform, or an option's choice, with the fields that a word names. Throws `error` with all that it might name.
template <class Transform>
Transform read_fields(const call& w, Transform t) {
  if constexpr (has_fields<Transform>) {
    std::vector<std::string_view> seen;
    for (const argument& a : w.arguments) {
      const std::string_view remark = [&] {
        for (const auto name : seen)
          if (name == a.name) return ", a second time";
        return "";
      }();
      bool read = false;
      const auto take = [&](const auto& field) {
        using value = std::remove_cvref_t<decltype(t.*field.place)>;
        if (read || !remark.empty() || a.name != field.name || a.value.size() != 1) return;
        if (const auto said = read_value<value>(a.value.front(), field.allowed)) t.*field.place = *said, read = true;
      };
      for_each_field<Transform>(take);
      if (!read) refuse_argument(w.text, expected_fields<Transform>(), a, remark);
      seen.push_back(a.name);
    }
  } else {
    if (!w.arguments.empty()) refuse_argument(w.text, "no arguments", w.arguments.front());
  }
  return t;
}

}  // namespace thalweg::text
