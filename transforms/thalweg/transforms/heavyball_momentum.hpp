// heavyball_momentum: Polyak's momentum, a decaying sum of the updates.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β·m + u, update m
///
/// | field | default | source                                             |
/// |-------|---------|----------------------------------------------------|
/// | beta  | 0.9     | Sutskever et al. 2013; torch.optim.SGD(momentum=β) |
///
/// State: `momentum`, from zero.
///
///     auto sgd = heavyball_momentum{.beta = 0.9} | apply_update{};
struct heavyball_momentum {
  double beta = 0.9;
  static constexpr auto fields = list{field{"beta", &heavyball_momentum::beta, from(0).below(1)}};

  using states = state<zeros<"momentum">>;

  constexpr auto at(const context&) const {
    return [beta = beta]<class T>(element<T> e, T momentum) {
      momentum = T(beta) * momentum + e.update;
      return next(momentum, momentum);
    };
  }
};

}  // namespace thalweg
