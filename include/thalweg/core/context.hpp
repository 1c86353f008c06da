// The step's scalars, as they stand at one place of a chain.
#pragma once

#include <optional>

#include <thalweg/core/scalar.hpp>

namespace thalweg {

/// What `at(context)` receives, once a step. A contextual transform returns a changed copy, which everything
/// downstream of it (in its own route alone) sees.
///
///     constexpr auto at(context c) const { c.lr *= by; return c; }
struct context {
  /// t, 1-based: for a contextual transform the optimizer's steps, for all others the steps in which the parameter had a
  /// gradient
  long step = 1;
  std::optional<long> schedule_step{};  ///< the optimizer's, where `step` counts others
  double lr = 0;                 ///< after warm-up and the schedules upstream
  double weight_decay = 0;       ///< λ, decoupled; 0 once a transform upstream has applied it
  long warmup_steps = 0;         ///< T₀
  std::optional<double> beta{};  ///< Schedule-Free's interpolation, where something upstream sets it

  std::optional<long> gathered{};  ///< how many calls of `step` this step is made of, if they are fewer than a gate wants

  std::optional<double> loss{};  ///< where the step was given it

  double average_weight = 1;     ///< c_t, from the lr in which the route ends, schedules downstream included
  bool weighs_largest_lr = false;  ///< c_t is from the largest such lr so far
};

/// w_t = t^r · lr_t^power, of which c_t = w_t / Σ w is the newest share.
constexpr double weight_of_step(long step, double lr, double power, double r) {
  return (r == 0 ? 1.0 : pow(static_cast<double>(step), r)) * pow(lr, power);
}

}  // namespace thalweg
