// scale_by_exp_avg_sq: Adam's second moment without a momentum; AMUSE uses it for all but hidden matrices.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// v ← β₂·v + (1-β₂)·u²,  update u / (√(v/(1-β₂ᵗ)) + ε)
///
/// | field   | default | source                                     |
/// |---------|---------|--------------------------------------------|
/// | beta2   | 0.999   | AMUSE's second branch, arXiv 2605.22432    |
/// | epsilon | 1e-10   | the same                                   |
///
/// State: `second_moment`, from zero.
///
///     auto sf_adamw = scale_by_exp_avg_sq{.epsilon = 1e-8} | update_by_schedule_free{};
struct scale_by_exp_avg_sq {
  double beta2 = 0.999;
  double epsilon = 1e-10;
  static constexpr auto fields = list{field{"beta2", &scale_by_exp_avg_sq::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_exp_avg_sq::epsilon, root_epsilon}};

  using states = state<zeros<"second_moment">>;

  constexpr auto at(const context& c) const {
    return [*this, unbias = 1 / one_minus_pow(beta2, static_cast<double>(c.step))]<class T>(element<T> e, T second) {
      const T u = squarable(e.update);
      second = lerp(u * u, second, beta2);
      return next(u / (sqrt(T(unbias) * second) + T(epsilon)), second);
    };
  }
};

}  // namespace thalweg
