// accumulate: one step for several gradients.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update Σ g/n over `steps` = n calls of `step`; only the last of them moves anything
///
/// | field | default  |
/// |-------|----------|
/// | steps | required |
///
/// The transforms downstream see only the steps that are taken. t, the warm-up and the weights of an average count these
/// steps, so it composes with Schedule-Free. Downstream the gradient is the mean of the gradients, and the loss, if there
/// is one, the mean of the losses. It is the first of its chain, or stands behind `when_finite`, which then leaves out the
/// gradients that are not finite. State: `mean`, from zero.
///
///     auto c = accumulate{.steps = 4} | scale_by_exp_avg_sq{} | update_by_schedule_free{};
struct accumulate {
  required<long> steps;
  static constexpr const char* elsewhere[] = {"gradient_accumulation", "multi_steps"};
  static constexpr auto fields = list{field{"steps", &accumulate::steps, from(1)}};

  using states = state<zeros<"mean">>;

  [[nodiscard]] constexpr bool opens(long call) const { return call % steps == 0; }

  constexpr auto absorb(long call) const {
    const double before = (call - 1) % steps == 0 ? 0 : 1;
    return [before, share = 1 / static_cast<double>(steps)]<class T>(element<T> e, T mean) {
      const T sum = where(T(before) == T(0), T(0), mean) + T(share) * e.update;
      return next(sum, sum);
    };
  }
  constexpr auto at(const context&) const { return absorb(steps); }
};

}  // namespace thalweg
