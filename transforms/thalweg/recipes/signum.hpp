// signum: the sign of a momentum, with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/scale_by_sign.hpp>

namespace thalweg::recipes {

/// Bernstein et al., arXiv 1802.04434; with β = 0 it is signSGD.
///
///     auto opt = optimizer(recipes::signum(), parameters, {.lr = 1e-4, .weight_decay = 0.1});
struct signum {
  double beta = ema{}.beta;
  static constexpr auto fields = list{field{"beta", &signum::beta, range_of(&ema::beta)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return ema{.beta = beta} | scale_by_sign{} | apply_update{};
  }
};

}  // namespace thalweg::recipes
