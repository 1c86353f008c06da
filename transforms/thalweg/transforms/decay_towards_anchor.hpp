// decay_towards_anchor: weight decay towards the initial weights, or towards an average of the weights.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u + λ·(θ - a),  a ← β·a + (1-β)·θ, with the optimizer's `weight_decay` λ. Downstream λ is 0, so that no other
/// transform decays again.
///
/// | field | default | source                                                                          |
/// |-------|---------|---------------------------------------------------------------------------------|
/// | beta  | 1       | the initial weights: L2-SP, Li et al., arXiv 1802.01483. Below 1: an average  |
///
/// State: `anchor`, from the parameter.
///
///     auto fine_tuning = scale_by_adam{} | decay_towards_anchor{} | apply_update{};
struct decay_towards_anchor {
  double beta = 1;
  static constexpr auto fields = list{field{"beta", &decay_towards_anchor::beta, from(0).to(1)}};

  using states = state<copy_of_param<"anchor">>;

  constexpr auto at(const context& c) const {
    return [decay = c.weight_decay, b = beta]<class T>(element<T> e, T anchor) {
      return next(e.update + T(decay) * (e.parameter - anchor), lerp(e.parameter, anchor, b));
    };
  }

  constexpr context pass_on(context c) const {
    c.weight_decay = 0;
    return c;
  }
};

}  // namespace thalweg
