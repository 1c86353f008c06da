// scale_by_belief: AdaBelief's moments, of the gradient and of its distance from the first moment.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β₁·m + (1-β₁)·u,  s ← β₂·s + (1-β₂)·(u - m)² + ε,  update m̂ / (√ŝ + ε)
/// with m̂ = m/(1-β₁ᵗ), ŝ = s/(1-β₂ᵗ)
///
/// | field   | default | source                                             |
/// |---------|---------|----------------------------------------------------|
/// | beta1   | 0.9     | AdaBelief, Zhuang et al., arXiv 2010.07468         |
/// | beta2   | 0.999   | the same                                           |
/// | epsilon | 1e-16   | its code                                           |
///
/// State: `first_moment`, `second_moment`, from zero.
///
///     auto adabelief = scale_by_belief{} | apply_update{};
struct scale_by_belief {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-16;
  static constexpr const char* elsewhere[] = {"adabelief"};
  static constexpr auto fields = list{field{"beta1", &scale_by_belief::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_belief::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_belief::epsilon, root_epsilon}};

  using states = state<zeros<"first_moment">, zeros<"second_moment">>;

  constexpr auto at(const context& c) const {
    const double t = static_cast<double>(c.step);
    return [*this, unbias1 = 1 / one_minus_pow(beta1, t), unbias2 = 1 / one_minus_pow(beta2, t)]<class T>(
               element<T> e, T first, T second) {
      const T u = squarable(e.update, 0.5);  // so is its distance from the mean
      first = lerp(u, first, beta1);
      second = lerp((u - first) * (u - first), second, beta2) + T(epsilon);
      return next(T(unbias1) * first / (sqrt(T(unbias2) * second) + T(epsilon)), first, second);
    };
  }
};

}  // namespace thalweg
