// An interval in which a number must lie.
#pragma once

#include <limits>
#include <string>
#include <string_view>

#include <thalweg/core/error.hpp>

namespace thalweg {

/// An interval of numbers. Its ends are outside unless stated. Infinity and NaN are in no interval.
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
/// Of an ε beside the root of a mean of squares: in float, squares below 1e-38 lose digits, and those below 1e-45 are zero.
inline constexpr range root_epsilon = from(1e-18).below(1);
/// Of an ε beside the squares themselves.
inline constexpr range square_epsilon = from(1e-36).below(1);

/// `[0, 1)`
std::string to_text(const range& r);

namespace detail {
[[noreturn]] void refuse_value(std::string_view where, std::string_view name, double value, const range& allowed,
                               std::string_view remark = "");
}

/// Throws if a number is out of range; `where` names the owner in the message.
constexpr void check_in_range(std::string_view where, std::string_view name, double value, const range& allowed) {
  if (!allowed.contains(value)) detail::refuse_value(where, name, value, allowed);
}

}  // namespace thalweg
