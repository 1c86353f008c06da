// scale_by_nadam: Adam with Nesterov's look ahead, and a momentum that grows.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// μ_t = β₁·(1 - ½·0.96^(ψ·t)),  m ← β₁·m + (1-β₁)·u,  v ← β₂·v + (1-β₂)·u²,
/// update [(1-μ_t)·u/(1-Π_{s≤t} μ_s) + μ_{t+1}·m/(1-Π_{s≤t+1} μ_s)] / (√v̂ + ε)  with v̂ = v/(1-β₂ᵗ)
///
/// | field          | default | source                                        |
/// |----------------|---------|-----------------------------------------------|
/// | beta1          | 0.9     | torch.optim.NAdam; Dozat, ICLR workshop 2016  |
/// | beta2          | 0.999   | the same                                      |
/// | epsilon        | 1e-8    | the same                                      |
/// | momentum_decay | 0.004   | the same; ψ                                   |
///
/// PyTorch 1 counts μ_t twice in the second product. This formula is that of PyTorch 2 and of the paper. State:
/// `first_moment`, `second_moment`, from zero; the scalar `correction`, 1 - Π μ.
///
///     auto nadam = scale_by_nadam{.beta2 = 0.99} | apply_update{};
struct scale_by_nadam {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double momentum_decay = 0.004;
  static constexpr auto fields = list{field{"beta1", &scale_by_nadam::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_nadam::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_nadam::epsilon, root_epsilon},
                                      field{"momentum_decay", &scale_by_nadam::momentum_decay, non_negative}};

  using states = state<zeros<"first_moment">, zeros<"second_moment">, scalar<"correction">>;

  constexpr auto at(const context& c, double correction) const {
    const double t = static_cast<double>(c.step);
    const auto momentum = [&](double step) { return beta1 * (1 - pow(0.96, momentum_decay * step) / 2); };
    const double now = momentum(t), ahead = momentum(t + 1);
    correction = 1 - (1 - correction) * now;
    const auto kernel = [*this, of_update = (1 - now) / correction, of_first = ahead / (1 - (1 - correction) * ahead),
                         unbias2 = 1 / one_minus_pow(beta2, t)]<class T>(
                            element<T> e, T first, T second) {
      const T u = squarable(e.update);
      first = lerp(u, first, beta1);
      second = lerp(u * u, second, beta2);
      return next((T(of_update) * u + T(of_first) * first) / (sqrt(T(unbias2) * second) + T(epsilon)), first,
                  second);
    };
    return next(kernel, correction);
  }
};

}  // namespace thalweg
