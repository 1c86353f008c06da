// The step's scalars, as they stand at one place of a chain.
#pragma once

#include <optional>

#include <thalweg/core/number.hpp>

namespace thalweg {

/// What `at(context)` receives, once a step. A contextual transform returns a changed copy, which everything
/// downstream of it (in its own route alone) sees.
///
///     constexpr auto at(context c) const { c.lr *= by; return c; }
struct context {
  long step = 1;                 ///< t, 1-based
  double lr = 0;                 ///< after warm-up and the schedules upstream
  double weight_decay = 0;       ///< λ, decoupled; 0 once a transform upstream has applied it
  long warmup_steps = 0;         ///< T₀
  std::optional<double> beta{};  ///< Schedule-Free's interpolation, where something upstream sets it

  double weight_lr_power = 2;  ///< p
  double r = 0;
  double weight_sum = 0;  ///< Σ w of the steps before this one

  /// w_t = t^r · lr_t^p, with the lr as it stands here.
  [[nodiscard]] constexpr double weight() const {
    return (r == 0 ? 1.0 : pow(static_cast<double>(step), r)) * pow(lr, weight_lr_power);
  }
  /// c_t = w_t / Σ w: how much of the newest z goes into the average x. 1 while every weight was zero.
  [[nodiscard]] constexpr double average_weight() const {
    const double w = weight();
    return weight_sum + w > 0 ? w / (weight_sum + w) : 1.0;
  }
};

}  // namespace thalweg
