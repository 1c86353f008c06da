// The cost of the iteration: how many steps run on a small matrix before the large one is computed again.
#pragma once

#include <cstddef>

namespace thalweg::detail {

/// How many steps run on the short side's Gram matrix before x is computed again: first the remainder, then `longest`.
struct grouping {
  std::size_t longest;

  [[nodiscard]] constexpr std::size_t first(std::size_t steps) const {
    return steps % longest ? steps % longest : steps < longest ? steps : longest;
  }
  [[nodiscard]] constexpr std::size_t count(std::size_t steps) const { return 1 + (steps - first(steps)) / longest; }
  /// How many matrices of short × short they need.
  [[nodiscard]] constexpr std::size_t squares() const { return longest > 1 ? 4 : 2; }

  /// The time of the steps for a matrix whose long side is `ratio` times its short side. The unit is the time of a product
  /// of two short × short matrices. `gram` and `symmetric` are the times of a Gram matrix and of a symmetric product; their
  /// unit is the time of an ordinary product of the same sizes. A group of g steps forms the Gram matrix and the new x
  /// once, and multiplies small symmetric matrices 4g − 3 times.
  [[nodiscard]] constexpr double cost(std::size_t steps, double ratio, double gram, double symmetric) const {
    double sum = 0;
    for (std::size_t left = steps, length = first(steps); left; left -= length, length = longest)
      sum += ratio * (gram + 1) + symmetric * static_cast<double>(4 * length - 3);
    return sum;
  }
};

}  // namespace thalweg::detail
