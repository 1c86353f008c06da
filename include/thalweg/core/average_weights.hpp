// The weight of each step in an average of the iterates: the share of the newest is c_t = w_t / Σ w.
#pragma once

#include <thalweg/core/context.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/scalar.hpp>

namespace thalweg {

/// w_t = t^r · lr_t^power
constexpr double weight_of_step(long step, double lr, double power, double r) {
  return (r == 0 ? 1.0 : pow(static_cast<double>(step), r)) * pow(lr, power);
}

/// A transform passes this if the weight of a step comes from the largest lr so far.
struct weighs_largest_lr {};

namespace detail {

/// The weights of all steps so far.
struct average_weights {
  double sum = 0;
  double largest_lr = 0;  ///< 0 if it is not used

  /// Adds a step; `end` is the context at the end of its route. Returns the step's share: 1 as long as all weights are
  /// 0. `is_read`: a transform keeps an average, so the weight must be valid.
  double add(long step, const context& end, const options& o, bool is_read);
  /// The share of a step that changes no parameter.
  [[nodiscard]] double share_of_none() const { return sum > 0 ? 0 : 1; }
};

}  // namespace detail
}  // namespace thalweg
