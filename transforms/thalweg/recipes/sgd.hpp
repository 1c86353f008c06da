// sgd: stochastic gradient descent with momentum.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/heavyball_momentum.hpp>

namespace thalweg::recipes {

/// torch.optim.SGD: the decay is an L2 penalty, before the momentum.
///
///     auto opt = optimizer(recipes::sgd({.momentum = 0.9}), parameters, {.lr = 0.1, .weight_decay = 1e-4});
struct sgd {
  double momentum = heavyball_momentum{}.beta;
  static constexpr auto fields = list{field{"momentum", &sgd::momentum, range_of(&heavyball_momentum::beta)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return decay_weights{} | heavyball_momentum{.beta = momentum} | apply_update{};
  }
};

}  // namespace thalweg::recipes
