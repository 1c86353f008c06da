// rectify_lr: RAdam's rectification as a warm-up of the learning rate.
#pragma once

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/gradients_seen.hpp>

namespace thalweg {

/// lr ← r·lr  with r² = (ρ_t-4)(ρ_t-2)ρ_∞ / ((ρ_∞-4)(ρ_∞-2)ρ_t)  where ρ_t > 4, else lr ← 0;
/// ρ_∞ = 2/(1-β₂) - 1,  ρ_t = ρ_∞ - 2t·β₂ᵗ/(1-β₂ᵗ)
///
/// | field | default | source                                                                        |
/// |-------|---------|-------------------------------------------------------------------------------|
/// | beta2 | 0.999   | Liu et al., arXiv 1908.03265; β₂ of the second moment that follows            |
///
/// As long as the second moment has too few gradients (four steps at 0.999), no parameter changes. RAdamScheduleFree of
/// facebookresearch/schedule_free does the same, so that a bad start has no weight in the average.
///
///     auto c = rectify_lr{} | scale_by_exp_avg_sq{.epsilon = 1e-8} | update_by_schedule_free{};
struct rectify_lr {
  double beta2 = 0.999;
  static constexpr auto fields = list{field{"beta2", &rectify_lr::beta2, above(0.6).below(1)}};

  constexpr context at(context c) const {
    const gradients_seen seen(beta2, static_cast<double>(c.step));
    c.lr *= seen.now > 4 ? seen.rectification() : 0;
    return c;
  }
};

}  // namespace thalweg
