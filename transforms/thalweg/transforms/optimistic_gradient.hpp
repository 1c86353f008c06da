// optimistic_gradient: the gradient, and how it changed since the last step.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update α·u + β·(u - p),  p ← u
///
/// | field | default | source                                                                   |
/// |-------|---------|--------------------------------------------------------------------------|
/// | alpha | 1       | optax.optimistic_gradient_descent; Daskalakis et al., arXiv 1711.00141   |
/// | beta  | 1       | the same                                                                 |
///
/// For games: with plain gradients, two players who minimise against each other go in circles. At the first step p is
/// zero. State: `previous`, from zero.
///
///     auto c = optimistic_gradient{} | scale_by_adam{} | apply_update{};
struct optimistic_gradient {
  double alpha = 1;
  double beta = 1;
  static constexpr const char* elsewhere[] = {"optimistic_gradient_descent"};
  static constexpr auto fields = list{field{"alpha", &optimistic_gradient::alpha, non_negative},
                                      field{"beta", &optimistic_gradient::beta, non_negative}};

  using states = state<zeros<"previous">>;

  constexpr auto at(const context&) const {
    return [*this]<class T>(element<T> e, T previous) {
      return next(T(alpha) * e.update + T(beta) * (e.update - previous), e.update);
    };
  }
};

}  // namespace thalweg
