// rectify_lr: RAdam's rectification as a warm-up of the learning rate.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

namespace detail {
/// How many gradients the second moment has in effect seen after t steps, ρ_t, and at most, ρ_∞.
struct gradients_seen {
  double now, at_most;

  constexpr gradients_seen(double beta2, double t) : now(0), at_most(2 / (1 - beta2) - 1) {
    const double share = 1 - beta2, lacking = one_minus_pow(beta2, t);
    // A long memory makes ρ_t the small difference of two large numbers. There its series serves.
    now = t * share < 1e-4 ? t - share * (t * t - 1) / 6 : at_most - 2 * t * (1 - lacking) / lacking;
  }

  /// RAdam's r, where ρ_t > 4.
  [[nodiscard]] constexpr double rectification() const {
    return sqrt((now - 4) / (at_most - 4) * ((now - 2) / (at_most - 2)) * (at_most / now));
  }
};
}  // namespace detail

/// lr ← r·lr  with r² = (ρ_t-4)(ρ_t-2)ρ_∞ / ((ρ_∞-4)(ρ_∞-2)ρ_t)  where ρ_t > 4, else lr ← 0;
/// ρ_∞ = 2/(1-β₂) - 1,  ρ_t = ρ_∞ - 2t·β₂ᵗ/(1-β₂ᵗ)
///
/// | field | default | source                                                                        |
/// |-------|---------|-------------------------------------------------------------------------------|
/// | beta2 | 0.999   | Liu et al., arXiv 1908.03265; that of the second moment it stands before      |
///
/// While the second moment has seen too few gradients (four steps at 0.999), no parameter moves. RAdamScheduleFree of
/// facebookresearch/schedule_free does the same, so that a bad start gets no weight in the average.
///
///     auto c = rectify_lr{} | scale_by_exp_avg_sq{.epsilon = 1e-8} | update_by_schedule_free{};
struct rectify_lr {
  double beta2 = 0.999;
  static constexpr auto fields = list{field{"beta2", &rectify_lr::beta2, above(0.6).below(1)}};

  constexpr context at(context c) const {
    const detail::gradients_seen seen(beta2, static_cast<double>(c.step));
    c.lr *= seen.now > 4 ? seen.rectification() : 0;
    return c;
  }
};

}  // namespace thalweg
