// scale_by_amsgrad: Adam whose denominator never falls.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β₁·m + (1-β₁)·u,  v ← β₂·v + (1-β₂)·u²,  w ← max(w, v),  update m̂ / (√ŵ + ε)
/// with m̂ = m/(1-β₁ᵗ), ŵ = w/(1-β₂ᵗ)
///
/// | field   | default | source                                                            |
/// |---------|---------|-------------------------------------------------------------------|
/// | beta1   | 0.9     | Reddi et al., arXiv 1904.09237                                    |
/// | beta2   | 0.999   | the same                                                          |
/// | epsilon | 1e-8    | torch.optim.AdamW(amsgrad=True), which also corrects the bias |
///
/// State: `first_moment`, `second_moment`, `largest_second_moment`, from zero.
///
///     auto amsgrad = scale_by_amsgrad{.beta2 = 0.99} | apply_update{};
struct scale_by_amsgrad {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta1", &scale_by_amsgrad::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_amsgrad::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_amsgrad::epsilon, root_epsilon}};

  using states = state<zeros<"first_moment">, zeros<"second_moment">, zeros<"largest_second_moment">>;

  constexpr auto at(const context& c) const {
    const double t = static_cast<double>(c.step);
    return [*this, unbias1 = 1 / one_minus_pow(beta1, t), unbias2 = 1 / one_minus_pow(beta2, t)]<class T>(
               element<T> e, T first, T second, T largest) {
      const T u = squarable(e.update);
      first = lerp(u, first, beta1);
      second = lerp(u * u, second, beta2);
      largest = max(second, largest);  // in this order a NaN shows
      return next(T(unbias1) * first / (sqrt(T(unbias2) * largest) + T(epsilon)), first, second, largest);
    };
  }
};

}  // namespace thalweg
