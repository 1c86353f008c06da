// scale_by_ademamix: Adam with a second, much slower momentum.
#pragma once

#include <cmath>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β₁·m + (1-β₁)·u,  s ← β₃·s + (1-β₃)·u,  v ← β₂·v + (1-β₂)·u²,
/// update (m̂ + α·s) / (max(√v̂, floor) + ε)  with m̂ = m/(1-β₁ᵗ), v̂ = v/(1-β₂ᵗ)
///
/// | field   | default | source                                                          |
/// |---------|---------|-----------------------------------------------------------------|
/// | beta1   | 0.9     | Pagliardini et al., arXiv 2409.03137                            |
/// | beta2   | 0.999   | the same                                                        |
/// | beta3   | 0.9999  | the same                                                        |
/// | alpha   | 5       | the same: 4 to 10                                               |
/// | epsilon | 1e-8    | the same                                                        |
/// | floor   | 0       | HeavyBall's 1e-8, in the place of ε; no less than 1e-18 |
/// | rise    | 1       | the same: the whole training; 1 turns it off |
///
/// Over the first `rise` steps α rises linearly from 0. β₃ rises from β₁ such that its half-life rises
/// linearly.
///
/// State: `first_moment`, `slow_moment`, `second_moment`, from zero.
///
///     auto ademamix = scale_by_ademamix{.alpha = 8, .rise = 10000} | apply_update{};
struct scale_by_ademamix {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double beta3 = 0.9999;
  double alpha = 5;
  double epsilon = 1e-8;
  double floor = 0;
  long rise = 1;
  static constexpr auto fields = list{field{"beta1", &scale_by_ademamix::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_ademamix::beta2, from(0).below(1)},
                                      field{"beta3", &scale_by_ademamix::beta3, from(0).below(1)},
                                      field{"alpha", &scale_by_ademamix::alpha, non_negative},
                                      field{"epsilon", &scale_by_ademamix::epsilon, from(0).below(1)},
                                      field{"floor", &scale_by_ademamix::floor, from(0).below(1)},
                                      field{"rise", &scale_by_ademamix::rise, from(1)}};

  using states = state<zeros<"first_moment">, zeros<"slow_moment">, zeros<"second_moment">>;

  constexpr auto at(const context& c) const {
    const double t = static_cast<double>(c.step);
    const double risen = min(1.0, t / static_cast<double>(rise));
    const double keep = risen < 1 && beta1 > 0 && beta3 > 0 ? between(risen) : beta3;
    return [*this, keep, share = risen * alpha, unbias1 = 1 / one_minus_pow(beta1, t),
            unbias2 = 1 / one_minus_pow(beta2, t), lowest = max(floor, root_epsilon.low)]<class T>(
               element<T> e, T first, T slow, T second) {
      const T u = squarable(e.update);
      first = lerp(u, first, beta1);
      slow = lerp(u, slow, keep);
      second = lerp(u * u, second, beta2);
      return next((T(unbias1) * first + T(share) * slow) / (max(sqrt(T(unbias2) * second), T(lowest)) + T(epsilon)),
                  first, slow, second);
    };
  }

private:
  // exp(ln β₁·ln β₃ / ((1-risen)·ln β₃ + risen·ln β₁))
  [[nodiscard]] constexpr double between(double risen) const {
    const double fast = std::log(beta1), slow = std::log(beta3);
    return std::exp(fast * slow / ((1 - risen) * slow + risen * fast));
  }
};

}  // namespace thalweg
