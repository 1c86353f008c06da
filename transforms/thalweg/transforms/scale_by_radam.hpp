// scale_by_radam: Adam that uses its second moment only after enough steps.
#pragma once

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/gradients_seen.hpp>

namespace thalweg {

/// m ← β₁·m + (1-β₁)·u,  v ← β₂·v + (1-β₂)·u²,  m̂ = m/(1-β₁ᵗ),
/// ρ_∞ = 2/(1-β₂) - 1,  ρ_t = ρ_∞ - 2t·β₂ᵗ/(1-β₂ᵗ),
/// update m̂·r·√(1-β₂ᵗ)/(√v + ε)  with r² = (ρ_t-4)(ρ_t-2)ρ_∞ / ((ρ_∞-4)(ρ_∞-2)ρ_t)  where ρ_t > 5, else m̂
///
/// | field   | default | source                                          |
/// |---------|---------|-------------------------------------------------|
/// | beta1   | 0.9     | Liu et al., arXiv 1908.03265; torch.optim.RAdam |
/// | beta2   | 0.999   | the same                                        |
/// | epsilon | 1e-8    | the same; the paper has none                    |
///
/// The paper switches at ρ_t > 4. Its authors' code and PyTorch switch at 5.
/// State: `first_moment`, `second_moment`, from zero.
///
///     auto radam = scale_by_radam{.beta2 = 0.99} | apply_update{};
struct scale_by_radam {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta1", &scale_by_radam::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_radam::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_radam::epsilon, root_epsilon}};

  using states = state<zeros<"first_moment">, zeros<"second_moment">>;

  constexpr auto at(const context& c) const {
    const double t = static_cast<double>(c.step);
    const gradients_seen seen(beta2, t);
    const bool adapts = seen.now > 5;
    // Until it adapts, the denominator is 0·√v + 1.
    const double rectified = adapts ? seen.rectification() * sqrt(one_minus_pow(beta2, t)) : 1;
    return [*this, by = rectified / one_minus_pow(beta1, t),
            root = adapts ? 1 : 0, rest = adapts ? epsilon : 1]<class T>(element<T> e, T first, T second) {
      const T u = squarable(e.update), longer = lerp(e.update, first, beta1);
      first = lerp(longer, squarable(longer), root);  // as long as the squares, once it is divided by their root
      second = lerp(u * u, second, beta2);
      return next(T(by) * first / (T(root) * sqrt(second) + T(rest)), first, second);
    };
  }
};

}  // namespace thalweg
