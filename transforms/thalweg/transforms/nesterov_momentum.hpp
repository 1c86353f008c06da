// nesterov_momentum: Polyak's momentum with Nesterov's look ahead.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β·m + u, update u + β·m
///
/// | field | default | source                                                           |
/// |-------|---------|------------------------------------------------------------------|
/// | beta  | 0.9     | Sutskever et al. 2013; torch.optim.SGD(momentum=β, nesterov=True) |
///
/// State: `momentum`, from zero.
///
///     auto sgd = nesterov_momentum{.beta = 0.9} | apply_update{};
struct nesterov_momentum {
  double beta = 0.9;
  static constexpr auto fields = list{field{"beta", &nesterov_momentum::beta, from(0).below(1)}};

  using states = state<zeros<"momentum">>;

  constexpr auto at(const context&) const {
    return [beta = beta]<class T>(element<T> e, T momentum) {
      momentum = T(beta) * momentum + e.update;
      return next(e.update + T(beta) * momentum, momentum);
    };
  }
};

}  // namespace thalweg
