// scale_by_deviation: centred RMSprop, which divides by the gradient's standard deviation.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β·m + (1-β)·u,  v ← β·v + (1-β)·u²,  update u / (√(v - m²) + ε)
///
/// | field   | default | source                                          |
/// |---------|---------|-------------------------------------------------|
/// | beta    | 0.99    | torch.optim.RMSprop with `centered`; Graves, arXiv 1308.0850 |
/// | epsilon | 1e-8    | the same                                        |
///
/// PyTorch's momentum: `scale_by_deviation | heavyball_momentum`; without centring:
/// `scale_by_rms | heavyball_momentum`. State: `mean`, `second_moment`, from zero.
///
///     auto centred = scale_by_deviation{} | heavyball_momentum{.beta = 0.9} | apply_update{};
struct scale_by_deviation {
  double beta = 0.99;
  double epsilon = 1e-8;
  static constexpr const char* elsewhere[] = {"scale_by_stddev", "centered_rmsprop"};
  static constexpr auto fields = list{field{"beta", &scale_by_deviation::beta, from(0).below(1)},
                                      field{"epsilon", &scale_by_deviation::epsilon, root_epsilon}};

  using states = state<zeros<"mean">, zeros<"second_moment">>;

  constexpr auto at(const context&) const {
    return [*this]<class T>(element<T> e, T mean, T second) {
      const T u = squarable(e.update);
      mean = lerp(u, mean, beta);
      second = lerp(u * u, second, beta);
      return next(u / (sqrt(max(second - mean * mean, T(0)) + T(0) * u) + T(epsilon)), mean, second);
    };
  }
};

}  // namespace thalweg
