// scale_by_adam: Adam's two moments.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β₁·m + (1-β₁)·u,  v ← β₂·v + (1-β₂)·u²,  update m̂ / (max(√v̂, floor) + ε)
/// with m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ)
///
/// | field   | default | source                            |
/// |---------|---------|-----------------------------------|
/// | beta1   | 0.9     | Kingma & Ba, arXiv 1412.6980      |
/// | beta2   | 0.999   | the same                          |
/// | epsilon | 1e-8    | the same                          |
/// | floor   | 0       | HeavyBall's 1e-8, in ε's place; no less than 1e-18 |
///
/// State: `first_moment`, `second_moment`, from zero.
///
///     auto adamw = scale_by_adam{.beta2 = 0.95} | apply_update{};
struct scale_by_adam {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double floor = 0;
  static constexpr auto fields = list{field{"beta1", &scale_by_adam::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_adam::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_adam::epsilon, from(0).below(1)},
                                      field{"floor", &scale_by_adam::floor, from(0).below(1)}};

  using states = state<zeros<"first_moment">, zeros<"second_moment">>;

  constexpr auto at(const context& c) const {
    const double t = static_cast<double>(c.step);
    return [*this, unbias1 = 1 / one_minus_pow(beta1, t), unbias2 = 1 / one_minus_pow(beta2, t),
            lowest = max(floor, root_epsilon.low)]<class T>(element<T> e, T first, T second) {
      const T u = squarable(e.update);
      first = lerp(u, first, beta1);
      second = lerp(u * u, second, beta2);
      return next(T(unbias1) * first / (max(sqrt(T(unbias2) * second), T(lowest)) + T(epsilon)), first, second);
    };
  }
};

}  // namespace thalweg
