// scale_by_rms: RMSprop's running root mean square, without bias correction.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// v ← β·v + (1-β)·u²,  update u / (√v + ε)
///
/// | field   | default | source                                       |
/// |---------|---------|----------------------------------------------|
/// | beta    | 0.99    | torch.optim.RMSprop's alpha; Hinton used 0.9 |
/// | epsilon | 1e-8    | torch.optim.RMSprop                          |
///
/// State: `second_moment`, from zero.
///
///     auto rmsprop = scale_by_rms{.beta = 0.9} | apply_update{};
struct scale_by_rms {
  double beta = 0.99;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta", &scale_by_rms::beta, from(0).below(1)},
                                      field{"epsilon", &scale_by_rms::epsilon, root_epsilon}};

  using states = state<zeros<"second_moment">>;

  constexpr auto at(const context&) const {
    return [*this]<class T>(element<T> e, T second) {
      const T u = squarable(e.update);
      second = lerp(u * u, second, beta);
      return next(u / (sqrt(second) + T(epsilon)), second);
    };
  }
};

}  // namespace thalweg
