// cautious_decay: weight decay only where the step goes towards zero.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u + λ·θ where u·θ ≥ 0, else u, with the optimizer's `weight_decay` λ. Downstream λ is 0.
///
/// Cautious weight decay (Chen et al., arXiv 2510.12402). Place it at the end of a chain, where u is the whole step.
///
///     auto c = scale_by_adam{} | cautious_decay{} | apply_update{};
struct cautious_decay {
  constexpr auto at(const context& c) const {
    return [decay = c.weight_decay]<class T>(element<T> e) {
      return next(e.update + where(sign(e.update) * sign(e.parameter) < T(0), T(0), T(decay) * e.parameter));
    };
  }

  constexpr context pass_on(context c) const {
    c.weight_decay = 0;
    return c;
  }
};

}  // namespace thalweg
