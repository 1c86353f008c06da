// The one exception of thalweg, and the words its messages are made of.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace thalweg {

/// The shortest text that reads back as the same number.
inline std::string to_text(double number) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return {digits, end};
}

template <std::integral Integer>
std::string to_text(Integer number) {
  return std::to_string(number);
}

/// `(4, 2, 3, 3)`
inline std::string to_text(std::span<const std::size_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text += ')';
}

/// The parts as one text: words as they are, everything else by its `to_text`.
template <class... Parts>
std::string in_words(const Parts&... parts) {
  std::string text;
  const auto add = [&](const auto& part) {
    if constexpr (std::convertible_to<decltype(part), std::string_view>) text += std::string_view(part);
    else text += to_text(part);
  };
  (add(parts), ...);
  return text;
}

/// What is thrown for bad input: `[where] Expected …. Received ….`, before anything is written.
///
///     throw error("orthogonalize_update", "Expected rank >= 2. Received '", name, "' with shape ", shape, ".");
class error : public std::invalid_argument {
public:
  template <class... Parts>
  explicit error(std::string_view where, const Parts&... parts)
      : std::invalid_argument(in_words("[", where, "] ", parts...)) {}
};

}  // namespace thalweg
