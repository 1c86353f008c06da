// The one exception of thalweg, and the small words its messages are made of.
#pragma once

#include <charconv>
#include <concepts>
#include <cstddef>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace thalweg {

/// What is thrown for bad input: `[where] Expected …. Received ….`, before anything is written.
///
///     throw error("orthogonalize_update", "Expected rank >= 2. Received 'bias' with shape (768).");
class error : public std::invalid_argument {
public:
  error(std::string_view where, std::string_view what)
      : std::invalid_argument("[" + std::string(where) + "] " + std::string(what)) {}
};

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
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

}  // namespace thalweg
