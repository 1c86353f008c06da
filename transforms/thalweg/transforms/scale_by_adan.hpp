// scale_by_adan: adaptive Nesterov momentum, from the gradient and how it changes.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// d = u - p, 0 at the first step;  m ← β₁·m + (1-β₁)·u,  v ← β₂·v + (1-β₂)·d,
/// n ← β₃·n + (1-β₃)·(u + β₂·d)²,  update (m̂ + β₂·v̂) / (√n̂ + ε),  p ← u
/// with m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ), n̂ = n/(1-β₃ᵗ)
///
/// | field   | default | source                                                         |
/// |---------|---------|----------------------------------------------------------------|
/// | beta1   | 0.98    | Xie et al., arXiv 2208.06677, which writes 1-β                 |
/// | beta2   | 0.92    | the same                                                       |
/// | beta3   | 0.99    | the same                                                       |
/// | epsilon | 1e-8    | the same                                                       |
///
/// State: `first_moment`, `change`, `second_moment`, `previous`, from zero.
///
///     auto adan = scale_by_adan{} | apply_update{};
struct scale_by_adan {
  double beta1 = 0.98;
  double beta2 = 0.92;
  double beta3 = 0.99;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta1", &scale_by_adan::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_adan::beta2, from(0).below(1)},
                                      field{"beta3", &scale_by_adan::beta3, from(0).below(1)},
                                      field{"epsilon", &scale_by_adan::epsilon, root_epsilon}};

  using states = state<zeros<"first_moment">, zeros<"change">, zeros<"second_moment">, zeros<"previous">>;

  constexpr auto at(const context& c) const {
    const auto unbias = [t = static_cast<double>(c.step)](double beta) { return 1 / one_minus_pow(beta, t); };
    return [*this, changes = c.step > 1 ? 1 : 0, unbias1 = unbias(beta1), ahead = beta2 * unbias(beta2),
            unbias3 = unbias(beta3)]<class T>(
               element<T> e, T first, T change, T second, T previous) {
      const T u = squarable(e.update, 0.25);  // |u + β₂·d| <= 3·|u|
      const T difference = T(changes) * (u - previous), seen = u + T(beta2) * difference;
      first = lerp(u, first, beta1);
      change = lerp(difference, change, beta2);
      second = lerp(seen * seen, second, beta3);
      return next((T(unbias1) * first + T(ahead) * change) / (sqrt(T(unbias3) * second) + T(epsilon)), first, change,
                  second, u);
    };
  }
};

}  // namespace thalweg
