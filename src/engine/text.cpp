// The words that messages and descriptions are made of.
#include <algorithm>
#include <charconv>
#include <string>

#include <thalweg/core/error.hpp>
#include <thalweg/core/range.hpp>

#include "utf8.hpp"

namespace thalweg {

std::string to_text(double number) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return {digits, end};
}

std::string detail::digits_of(long long number) { return std::to_string(number); }
std::string detail::digits_of(unsigned long long number) { return std::to_string(number); }

std::string to_text(std::span<const std::size_t> shape) {
  constexpr std::size_t most = 16;
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i) text += ", ";
    if (shape.size() > most && i == most - 1) {
      text += "…, ";
      i = shape.size() - 1;
    }
    text += std::to_string(shape[i]);
  }
  return text += ')';
}

std::string in_quotes(std::string_view name) {
  constexpr std::size_t longest = 100;
  constexpr std::string_view digits = "0123456789abcdef";
  std::string shown;
  std::size_t at = 0;
  while (at < std::min(longest, name.size())) {
    const std::size_t length = detail::first_character(name.substr(at));
    const auto first = static_cast<unsigned char>(name[at]);
    const bool is_control =
        first < 0x20 || first == 0x7F || (first == 0xC2 && length == 2 && static_cast<unsigned char>(name[at + 1]) < 0xA0);
    if (length && !is_control) {
      shown += name.substr(at, length);
      at += length;
    } else {
      shown += "\\x";
      shown += digits[first / 16];
      shown += digits[first % 16];
      ++at;
    }
  }
  return in_words("'", shown, at < name.size() ? "…" : "", "'");
}

std::string detail::joined(std::initializer_list<std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) text += word;
  return text;
}

std::string detail::joined_shortened(std::initializer_list<std::string_view> words) {
  constexpr std::size_t longest = 1000;
  std::string text;
  for (const std::string_view word : words) {
    std::size_t end = std::min(longest, word.size());
    while (end < word.size() && end > 0 && (static_cast<unsigned char>(word[end]) & 0xC0) == 0x80) --end;
    text += word.substr(0, end);
    if (end < word.size()) text += "…";
  }
  return text;
}

error::error(std::string_view where, const message& m) : std::invalid_argument(in_words("[", where, "] ", m.text)) {}

std::string to_text(const range& r) {
  return in_words(r.low_included ? "[" : "(", r.low, ", ", r.high, r.high_included ? "]" : ")");
}

void detail::refuse_value(std::string_view where, std::string_view name, double value, const range& allowed,
                          std::string_view remark) {
  throw error(where, "Expected ", name, " in ", allowed, remark, ". Received ", value, ".");
}

}  // namespace thalweg
