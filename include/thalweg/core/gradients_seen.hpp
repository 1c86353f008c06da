// The effective number of gradients in an average, for RAdam's rectification.
#pragma once

#include <thalweg/core/scalar.hpp>

namespace thalweg {

/// ρ_∞ = 2/(1-β₂) - 1,  ρ_t = ρ_∞ - 2t·β₂ᵗ/(1-β₂ᵗ)  (Liu et al., arXiv 1908.03265)
///
///     const gradients_seen seen(beta2, t);
///     const double r = seen.now > 4 ? seen.rectification() : 0;
struct gradients_seen {
  double now, at_most;

  constexpr gradients_seen(double beta2, double t) : now(0), at_most(2 / (1 - beta2) - 1) {
    const double share = 1 - beta2, lacking = one_minus_pow(beta2, t);
    // With β near 1, ρ_t is the small difference of two large numbers. Then its series is used.
    now = t * share < 1e-4 ? t - share * (t * t - 1) / 6 : at_most - 2 * t * (1 - lacking) / lacking;
  }

  /// RAdam's r, for ρ_t > 4.
  [[nodiscard]] constexpr double rectification() const {
    return sqrt((now - 4) / (at_most - 4) * ((now - 2) / (at_most - 2)) * (at_most / now));
  }
};

}  // namespace thalweg
