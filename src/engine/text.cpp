// The words that messages and descriptions are made of.
#include <charconv>
#include <string>

#include <thalweg/core/error.hpp>
#include <thalweg/core/range.hpp>

namespace thalweg {

std::string to_text(double number) {
  char digits[32];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  return {digits, end};
}

std::string detail::digits_of(long long number) { return std::to_string(number); }
std::string detail::digits_of(unsigned long long number) { return std::to_string(number); }

std::string to_text(std::span<const std::size_t> shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    if (i) text += ", ";
    text += std::to_string(shape[i]);
  }
  return text += ')';
}

std::string detail::joined(std::initializer_list<std::string_view> words) {
  std::string text;
  for (const std::string_view word : words) text += word;
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
