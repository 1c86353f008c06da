// scale_by_adamax: Adam with a decaying maximum of the gradient instead of the second moment.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β₁·m + (1-β₁)·u,  n ← max(β₂·n, |u| + ε),  update m̂/n  with m̂ = m/(1-β₁ᵗ)
///
/// | field   | default | source                            |
/// |---------|---------|-----------------------------------|
/// | beta1   | 0.9     | Kingma & Ba, arXiv 1412.6980      |
/// | beta2   | 0.999   | the same                          |
/// | epsilon | 1e-8    | torch.optim.Adamax                |
///
/// State: `first_moment`, `largest`, from zero.
///
///     auto adamax = scale_by_adamax{} | apply_update{};
struct scale_by_adamax {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr const char* elsewhere[] = {"adamax"};
  static constexpr auto fields = list{field{"beta1", &scale_by_adamax::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_adamax::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_adamax::epsilon, square_epsilon}};

  using states = state<zeros<"first_moment">, zeros<"largest">>;

  constexpr auto at(const context& c) const {
    return [*this, unbias = 1 / one_minus_pow(beta1, static_cast<double>(c.step))]<class T>(element<T> e, T first,
                                                                                            T largest) {
      const T u = squarable(e.update);
      first = lerp(u, first, beta1);
      largest = max(T(beta2) * largest, abs(u) + T(epsilon)) + T(0) * u;  // a NaN stays
      return next(T(unbias) * first / largest, first, largest);
    };
  }
};

}  // namespace thalweg
