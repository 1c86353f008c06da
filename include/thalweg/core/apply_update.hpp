// apply_update: the end without an average; the default end of a chain.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// θ ← (1 - lr·λ)·θ - lr·u, computed as θ - (lr·u + lr·λ·θ): in float 1 - lr·λ would lose most of a small decay.
///
/// Decoupled weight decay and the learning rate (Loshchilov & Hutter, arXiv 1711.05101). λ and lr are the optimizer's
/// options after the schedules upstream; λ is 0 after a `decay_weights`.
///
///     auto adamw = scale_by_adam{} | apply_update{};
struct apply_update {
  constexpr auto at(const context& c) const {
    return [decay = c.lr * c.weight_decay, lr = c.lr]<class T>(element<T> e) {
      return write(e.parameter - (T(lr) * e.update + T(decay) * e.parameter));
    };
  }
};

}  // namespace thalweg
