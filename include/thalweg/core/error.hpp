// The exception of thalweg, and how its messages are built.
#pragma once

#include <concepts>
#include <cstddef>
#include <initializer_list>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>

namespace thalweg {

/// The shortest text that reads back as the same number.
std::string to_text(double number);

/// `(4, 2, 3, 3)`; of more than 16 dimensions the first and the last.
std::string to_text(std::span<const std::size_t> shape);

/// A name in messages: between quotation marks, shortened, without control characters.
std::string in_quotes(std::string_view name);

namespace detail {
std::string digits_of(long long number);
std::string digits_of(unsigned long long number);
}  // namespace detail

template <std::integral Integer>
std::string to_text(Integer number) {
  if constexpr (std::signed_integral<Integer>) return detail::digits_of(static_cast<long long>(number));
  else return detail::digits_of(static_cast<unsigned long long>(number));
}

namespace detail {
std::string joined(std::initializer_list<std::string_view> words);
/// None of them longer than a message bears.
std::string joined_shortened(std::initializer_list<std::string_view> words);

template <class Part>
decltype(auto) words_of(const Part& part) {
  if constexpr (std::convertible_to<const Part&, std::string_view>) return std::string_view(part);
  else return to_text(part);
}
}  // namespace detail

/// The parts as one text: words as they are, everything else by its `to_text`.
template <class... Parts>
std::string in_words(const Parts&... parts) {
  return detail::joined({std::string_view(detail::words_of(parts))...});
}

/// Thrown for bad input, before anything is written: `[where] Expected …. Received ….`
///
///     throw error("orthogonalize_update", "Expected rank >= 2. Received ", in_quotes(name), " with shape ", shape, ".");
class error : public std::invalid_argument {
  struct message {
    std::string text;
  };
  error(std::string_view where, const message& m);

public:
  template <class... Parts>
  explicit error(std::string_view where, const Parts&... parts)
      : error(where, message{detail::joined_shortened({std::string_view(detail::words_of(parts))...})}) {}
};

}  // namespace thalweg
