// accumulate: one step for several gradients.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update Σ g/n over `steps` = n calls of `step`; only the last call changes parameters
///
/// | field | default  |
/// |-------|----------|
/// | steps | required |
///
/// At the end of the data there may be fewer than n gradients. `optimizer::flush` then takes a step with their mean.
/// `optimizer::drop` discards them.
///
/// The transforms downstream run only in the last call. t, the warm-up and the weights of an average count these steps,
/// so it works with Schedule-Free. Downstream the gradient is the mean of the gradients. The loss, if you pass it, is
/// the mean of the losses. Place it first in the chain, or after `when_finite`, which then leaves out gradients that
/// are not finite. State: `mean`, from zero.
///
///     auto c = accumulate{.steps = 4} | scale_by_exp_avg_sq{} | update_by_schedule_free{};
struct accumulate {
  required<long> steps;
  static constexpr const char* elsewhere[] = {"gradient_accumulation", "multi_steps"};
  static constexpr auto fields = list{field{"steps", &accumulate::steps, from(1)}};

  using states = state<zeros<"mean">>;

  [[nodiscard]] constexpr bool opens(long call) const { return call % steps == 0; }

  /// The kernel of one call; `all` makes a mean of fewer calls.
  constexpr auto gathering(long call, double all) const {
    const double before = (call - 1) % steps == 0 ? 0 : 1;
    return [before, share = 1 / static_cast<double>(steps), all]<class T>(element<T> e, T mean) {
      const T sum = T(all) * (where(T(before) == T(0), T(0), mean) + T(share) * e.update);
      return next(sum, sum);
    };
  }
  constexpr auto absorb(long call) const { return gathering(call, 1); }
  constexpr auto at(const context& c) const {
    return gathering(steps, c.gathered ? static_cast<double>(steps) / static_cast<double>(*c.gathered) : 1);
  }
};

}  // namespace thalweg
