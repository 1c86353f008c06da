#pragma once
// The mean of paired differences with its 95 % interval, by Student's t.

#include <cmath>
#include <cstddef>
#include <numbers>
#include <optional>
#include <span>

namespace race {

// P(|T| < t) for Student's T with `freedom` degrees of freedom (Abramowitz & Stegun 26.7.3 and 26.7.4).
inline double within(double t, std::size_t freedom) {
  const double n = static_cast<double>(freedom), angle = std::atan(t / std::sqrt(n)), cosine = std::cos(angle);
  const bool odd = freedom % 2 == 1;
  double term = odd ? cosine : 1, sum = freedom > 1 ? term : 0;
  for (double k = odd ? 2 : 1; k <= n - 3; k += 2) sum += term *= cosine * cosine * k / (k + 1);
  return odd ? (angle + std::sin(angle) * sum) * 2 / std::numbers::pi : std::sin(angle) * sum;
}

// The t that |T| exceeds once in twenty: 12.71 for one degree of freedom, 2.776 for four, near 1.96 for many.
inline double student_t(std::size_t freedom) {
  double low = 0, high = 13;
  for (int halving = 0; halving < 60; ++halving) {
    const double middle = (low + high) / 2;
    (within(middle, freedom) < 0.95 ? low : high) = middle;
  }
  return low;
}

struct interval {
  double mean = 0;
  std::optional<double> half_width{};  // empty for a single pair
};

// The interval of the mean of a sample.
inline interval interval_of(std::span<const double> sample) {
  const auto n = static_cast<double>(sample.size());
  double sum = 0, squares = 0;
  for (const double value : sample) sum += value;
  const double mean = sum / n;
  if (sample.size() < 2) return {mean};
  for (const double value : sample) squares += (value - mean) * (value - mean);
  return {mean, student_t(sample.size() - 1) * std::sqrt(squares / (n - 1) / n)};
}

}  // namespace race
