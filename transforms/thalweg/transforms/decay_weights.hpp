// decay_weights: weight decay as a part of the update.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u + λ·θ, with the optimizer's `weight_decay` λ. Downstream λ is 0, so that no other transform decays again.
///
/// At the head of a chain this is the L2 penalty of classical SGD. At the end of a chain it is AdamW's decay. There you
/// may leave it out, because `apply_update` decays the weights itself.
///
///     auto sgd_with_l2 = decay_weights{} | heavyball_momentum{} | apply_update{};
struct decay_weights {
  constexpr auto at(const context& c) const {
    return [decay = c.weight_decay]<class T>(element<T> e) { return next(e.update + T(decay) * e.parameter); };
  }

  constexpr context pass_on(context c) const {
    c.weight_decay = 0;
    return c;
  }
};

}  // namespace thalweg
