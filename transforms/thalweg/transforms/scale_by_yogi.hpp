// scale_by_yogi: Adam with a second moment that falls only slowly.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β₁·m + (1-β₁)·u,  v ← v - (1-β₂)·sign(v - u²)·u²,  update m̂ / (√v̂ + ε)
/// with m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ)
///
/// | field   | default | source                                                   |
/// |---------|---------|----------------------------------------------------------|
/// | beta1   | 0.9     | Yogi, Zaheer et al., NeurIPS 2018                        |
/// | beta2   | 0.999   | the same                                                 |
/// | epsilon | 1e-3    | the same                                                 |
/// | initial | 1e-6    | optax.yogi, which also has these bias corrections |
///
/// State: `first_moment`, from zero; `second_moment`, from `initial`.
///
///     auto yogi = scale_by_yogi{} | apply_update{};
struct scale_by_yogi {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-3;
  double initial = 1e-6;
  static constexpr const char* elsewhere[] = {"yogi"};
  static constexpr auto fields = list{field{"beta1", &scale_by_yogi::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_yogi::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_yogi::epsilon, root_epsilon},
                                      field{"initial", &scale_by_yogi::initial, non_negative}};

  using states = state<zeros<"first_moment">, filled<"second_moment", &scale_by_yogi::initial>>;

  constexpr auto at(const context& c) const {
    const double t = static_cast<double>(c.step);
    return [*this, unbias1 = 1 / one_minus_pow(beta1, t), unbias2 = 1 / one_minus_pow(beta2, t)]<class T>(
               element<T> e, T first, T second) {
      const T u = squarable(e.update);
      first = lerp(u, first, beta1);
      second = second - T(1 - beta2) * sign(second - u * u) * (u * u);
      return next(T(unbias1) * first / (sqrt(T(unbias2) * second) + T(epsilon)), first, second);
    };
  }
};

}  // namespace thalweg
