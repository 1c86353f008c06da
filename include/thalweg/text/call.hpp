// A chain's text, taken apart, and how a transform's fields are read from it: by their names, types and ranges alone.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
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
#include <thalweg/core/type_list.hpp>

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

/// A number that fits a double or a long; 1e6 is a whole number.
std::optional<double> read_number(const call& w);
std::optional<long> read_whole_number(const call& w);
/// What stands between quotation marks.
std::optional<std::string> read_quotation(const call& w);

/// How values of a type are read.
struct value_reader {
  std::string (*expected)(const range&);  ///< ` in [0, 1)`
  /// Whether a word says a value that is allowed, which is then written.
  bool (*read)(const call&, const range&, void* to);
  std::string_view example;
};

/// A field without its type, so that what reads fields is compiled once.
struct readable_field {
  std::string_view name;
  range allowed;
  bool is_required;
  const value_reader* values;
  void* value;
};

/// `beta in [0, 1), look_ahead = interpolate | add_ema`
std::string in_words_of(std::span<const readable_field> fields);

/// Writes the fields that a word gives. Required fields come first. They may stand without their names, in their order.
/// All others have names. Throws `error` with all that the word might give.
void read_fields(const call& w, std::span<const readable_field> fields);

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

/// The types of which one stands for a value of this type: a variant's, and what has `made_values`.
template <class... Choices>
constexpr type_list<Choices...> choices_of_variant(std::type_identity<std::variant<Choices...>>) { return {}; }
template <class Value>
constexpr auto choices_of() {
  if constexpr (requires { made_values(std::type_identity<Value>()); }) return made_values(std::type_identity<Value>());
  else if constexpr (named<Value>) return type_list<>();
  else return choices_of_variant(std::type_identity<Value>());
}

template <has_fields Transform>
std::vector<readable_field> readable_fields(Transform& t);

template <has_fields Transform>
std::string fields_in_words() {
  auto t = detail::with_defaults<Transform>();
  return in_words_of(readable_fields(t));
}

/// The allowed values of a field: ` in [0, 1)`, ` = interpolate | add_ema`.
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
  } else {
    if constexpr (named<Value>)
      for (const auto& value : values_of<Value>()) add(in_words(value));
    [&]<class... Choices>(type_list<Choices...>) {
      [[maybe_unused]] const auto of = [&]<class Choice>(std::type_identity<Choice>) {
        if constexpr (has_fields<Choice>) add(in_words(type_name<Choice>(), "(", fields_in_words<Choice>(), ")"));
        else add(std::string(type_name<Choice>()));
      };
      (of(std::type_identity<Choices>()), ...);
    }(choices_of<Value>());
  }
  return text;
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
  } else {
    if constexpr (named<Value>)
      for (const auto& value : values_of<Value>())
        if (w.arguments.empty() && w.text == in_words(value)) read = value;
    [&]<class... Choices>(type_list<Choices...>) {
      [[maybe_unused]] const auto choose = [&]<class Choice>(std::type_identity<Choice>) {
        if (w.text == type_name<Choice>()) read = read_fields<Choice>(w);
      };
      (choose(std::type_identity<Choices>()), ...);
    }(choices_of<Value>());
  }
  return read;
}

/// The type of what a word says for a field: the value of a field that may be absent.
template <class Field>
struct said_type { using type = detail::given_value<Field>; };
template <class Value>
struct said_type<std::optional<Value>> { using type = Value; };
template <class Field>
using said_value = typename said_type<Field>::type;

template <class Value>
bool read_value_to(const call& w, const range& allowed, void* to) {
  const auto said = read_value<said_value<Value>>(w, allowed);
  if (said) *static_cast<Value*>(to) = *said;
  return said.has_value();
}

template <class Value>
inline constexpr value_reader reader_of{
    &expected_value<said_value<Value>>, &read_value_to<Value>,
    std::integral<said_value<Value>> ? "1000" : std::floating_point<said_value<Value>> ? "0.5" : "\"*\""};

template <has_fields Transform>
std::vector<readable_field> readable_fields(Transform& t) {
  std::vector<readable_field> all;
  for_each_field<Transform>([&](const auto& f) {
    auto& value = t.*f.member;
    all.push_back({f.name, f.allowed, f.is_required, &reader_of<std::remove_reference_t<decltype(value)>>, &value});
  });
  return all;
}

/// A transform, a predicate or an option's choice, with the fields that a word gives.
template <class Transform>
Transform read_fields(const call& w) {
  if constexpr (has_fields<Transform>) {
    Transform t = detail::with_defaults<Transform>();
    read_fields(w, readable_fields(t));
    return t;
  } else {
    read_fields(w, {});
    return {};
  }
}

}  // namespace thalweg::text
