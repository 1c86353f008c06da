// How much each step weighs in an average of the steps: the newest one's share is c_t = w_t / Σ w.
#pragma once

#include <thalweg/core/context.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/scalar.hpp>

namespace thalweg {

/// w_t = t^r · lr_t^power
constexpr double weight_of_step(long step, double lr, double power, double r) {
  return (r == 0 ? 1.0 : pow(static_cast<double>(step), r)) * pow(lr, power);
}

/// A transform says this where the largest lr so far weighs a step.
struct weighs_largest_lr {};

namespace detail {

/// Of all steps so far.
struct average_weights {
  double sum = 0;
  double largest_lr = 0;  ///< 0 where it does not weigh

  /// Adds a step; `end` is the context in which its route ends. Returns the step's share: 1 where nothing has weighed yet.
  /// `is_read`: a transform keeps an average, so the weight must be one that can be.
  double add(long step, const context& end, const options& o, bool is_read);
  /// The share of a step in which the parameters stand still.
  [[nodiscard]] double share_of_none() const { return sum > 0 ? 0 : 1; }
};

}  // namespace detail
}  // namespace thalweg
