// A chain's text, taken apart, and how a transform's fields are read from it: by their names, types and ranges alone.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <functional>
#include <optional>
#include <span>
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

/// A name, a number or a text between quotation marks, and what stands in its brackets: `nesterov_ema(beta=0.95)`,
/// `spectral`, `1e-3`, `"*.bias"`.
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

/// `[parse] Expected for ema: beta in [0, 1). Received 'bta' at column 5.`, and the advice behind it.
[[noreturn]] void refuse_argument(std::string_view of, const std::string& expected, const argument& given,
                                  std::string_view remark = "", std::string_view advice = "");

/// A number that a double or a long holds; 1e6 is a whole number.
std::optional<double> read_number(const call& w);
std::optional<long> read_whole_number(const call& w);
/// What stands between quotation marks.
std::optional<std::string> read_quotation(const call& w);

/// A field as messages describe it.
struct described_field {
  std::string_view name;
  std::string expected;      ///< ` in [0, 1)`
  std::string_view example;  ///< of a required field
};

/// `beta in [0, 1), look_ahead = interpolate | add_ema`
std::string in_words_of(std::span<const described_field> fields);

/// For each field the argument that gives it, if there is one. Required fields come first. They may stand without their
/// names, in their order. All others have names. `taker` says which field would take a value.
std::vector<const argument*> arguments_of(const call& w, std::span<const described_field> fields,
                                          const std::function<std::string_view(const call&)>& taker);

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
std::vector<described_field> described_fields();

/// What a field's value may be: ` in [0, 1)`, ` = interpolate | add_ema`.
template <class Value>
std::string expected_value([[maybe_unused]] const range& allowed) {
  std::string text;
  const auto add = [&](const std::string& choice) { text += (text.empty() ? " = " : " | ") + choice; };
  if constexpr (std::floating_point<Value>) {
    text = in_words(" in ", allowed);
  } else if constexpr (std::integral<Value>) {
    text = in_words(" in ", allowed, ", whole");
  } else if constexpr (std::is_same_v<Value, std::string>) {
    text = " in quotation marks";
  } else if constexpr (named<Value>) {
    for (const auto& value : values_of<Value>()) add(in_words(value));
  } else {
    [&]<class... Choices>(std::type_identity<std::variant<Choices...>>) {
      const auto of = [&]<class Choice>(std::type_identity<Choice>) {
        if constexpr (has_fields<Choice>) add(in_words(type_name<Choice>(), "(", in_words_of(described_fields<Choice>()), ")"));
        else add(std::string(type_name<Choice>()));
      };
      (of(std::type_identity<Choices>()), ...);
    }(std::type_identity<Value>());
  }
  return text;
}

template <has_fields Transform>
std::vector<described_field> described_fields() {
  std::vector<described_field> all;
  for_each_field<Transform>([&](const auto& field) {
    using value = typename std::remove_cvref_t<decltype(field)>::value_type;
    constexpr std::string_view example = std::integral<value> ? "1000" : std::floating_point<value> ? "0.5" : "\"*\"";
    all.push_back({field.name, expected_value<value>(field.allowed), field.is_required ? example : ""});
  });
  return all;
}

template <class Transform>
Transform read_fields(const call& w);

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
  } else if constexpr (std::is_same_v<Value, std::string>) {
    read = read_quotation(w);
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

/// A transform, a predicate or an option's choice, with the fields that a word gives. Throws `error` with all that it might
/// give.
template <class Transform>
Transform read_fields(const call& w) {
  if constexpr (has_fields<Transform>) {
    const auto fields = described_fields<Transform>();
    const auto given = arguments_of(w, fields, [](const call& value) {
      std::string_view name;
      for_each_field<Transform>([&](const auto& field) {
        using type = typename std::remove_cvref_t<decltype(field)>::value_type;
        if (name.empty() && read_value<type>(value, field.allowed)) name = field.name;
      });
      return name;
    });
    Transform t = detail::with_defaults<Transform>();
    std::size_t i = 0;
    for_each_field<Transform>([&](const auto& field) {
      using type = typename std::remove_cvref_t<decltype(field)>::value_type;
      const argument* const a = given[i++];
      if (!a) return;
      const auto said = a->value.size() == 1 ? read_value<type>(a->value.front(), field.allowed) : std::nullopt;
      if (!said) refuse_argument(w.text, in_words_of(fields), *a);
      t.*field.place = *said;
    });
    return t;
  } else {
    if (!w.arguments.empty()) refuse_argument(w.text, "no arguments", w.arguments.front());
    return {};
  }
}

}  // namespace thalweg::text
