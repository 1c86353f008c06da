// scale_by_laprop: Adam in reverse order: it normalises the gradients first, then takes the momentum.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// v ← β₂·v + (1-β₂)·u²,  m ← β₁·m + (1-β₁)·u / (max(√v̂, floor) + ε),  update m/(1-β₁ᵗ)
/// with v̂ = v/(1-β₂ᵗ)
///
/// | field   | default | source                                                  |
/// |---------|---------|---------------------------------------------------------|
/// | beta1   | 0.9     | Ziyin et al., arXiv 2002.04839                          |
/// | beta2   | 0.999   | the same                                                |
/// | epsilon | 1e-15   | the same                                                |
/// | floor   | 0       | HeavyBall's 1e-8, in the place of ε; no less than 1e-18 |
///
/// State: `first_moment`, `second_moment`, from zero.
///
///     auto laprop = scale_by_laprop{.beta2 = 0.99} | apply_update{};
struct scale_by_laprop {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-15;
  double floor = 0;
  static constexpr auto fields = list{field{"beta1", &scale_by_laprop::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_laprop::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_laprop::epsilon, from(0).below(1)},
                                      field{"floor", &scale_by_laprop::floor, from(0).below(1)}};

  using states = state<zeros<"first_moment">, zeros<"second_moment">>;

  constexpr auto at(const context& c) const {
    const double t = static_cast<double>(c.step);
    return [*this, unbias1 = 1 / one_minus_pow(beta1, t), unbias2 = 1 / one_minus_pow(beta2, t),
            lowest = max(floor, root_epsilon.low)]<class T>(element<T> e, T first, T second) {
      const T u = squarable(e.update);
      second = lerp(u * u, second, beta2);
      first = lerp(u / (max(sqrt(T(unbias2) * second), T(lowest)) + T(epsilon)), first, beta1);
      return next(T(unbias1) * first, first, second);
    };
  }
};

}  // namespace thalweg
