// scale_by_momo_adam: Adam, with a step size from a model of the loss.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β₁·m + (1-β₁)·u,  v ← β₂·v + (1-β₂)·u²,  D = √(v/(1-β₂ᵗ)) + ε,  f ← β₁·f + (1-β₁)·loss,  q ← β₁·q + (1-β₁)·⟨u, θ⟩,
/// τ = min(lr/ρ, ((1 + lr·λ)·(f - q - ρ·minimum) + ⟨m, θ⟩)₊ / ⟨m, m/D⟩) with ρ = 1-β₁ᵗ,  θ ← (θ - τ·m/D) / (1 + lr·λ).
/// Then λ is 0.
///
/// | field   | default | source                                                        |
/// |---------|---------|---------------------------------------------------------------|
/// | beta1   | 0.9     | MoMo-Adam, Schaipp et al., arXiv 2305.07583; fabian-sp/MoMo   |
/// | beta2   | 0.999   | the same                                                      |
/// | epsilon | 1e-8    | the same                                                      |
/// | minimum | 0       | the same: the lowest possible loss                            |
///
/// Model-wise; reads the loss: `step(gradients, {.loss = loss})`. lr is Adam's, and the largest step size; the authors
/// use 1e-2. The model of the loss is correct if all parameters have a gradient in every step. Parameters without one
/// add nothing to the sums. State: `first_moment`, `second_moment`, from zero; the scalars `loss` f, `product` q and
/// `share` ρ of the model.
///
///     auto opt = optimizer(scale_by_momo_adam{} | apply_update{}, parameters, {.lr = 1e-2});
struct scale_by_momo_adam {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double minimum = 0;
  static constexpr const char* elsewhere[] = {"momo_adam"};
  static constexpr auto fields = list{field{"beta1", &scale_by_momo_adam::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_momo_adam::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_momo_adam::epsilon, root_epsilon},
                                      field{"minimum", &scale_by_momo_adam::minimum, finite_number}};

  using states = state<zeros<"first_moment">, zeros<"second_moment">, scalar<"loss">, scalar<"product">, scalar<"share">>;
  using reads = loss_of_step;

  constexpr auto reduce(const context& c, double, double, double) const {
    return [now = step{*this, c}]<class T>(element<T> e, T first, T second) {
      const T scaled = now.take(e.update, first, second);
      return sums(first * scaled, first * e.parameter, e.update * e.parameter);
    };
  }

  constexpr auto at(const context& c, double squares, double ahead, double product, double loss, double products,
                    double share) const noexcept {
    const double shrinks = 1 + c.lr * c.weight_decay, rho = lerp(1.0, share, beta1);
    const double mean_loss = lerp(c.loss.value_or(minimum), loss, beta1), mean_product = lerp(product, products, beta1);
    const double above = shrinks * (mean_loss - mean_product - rho * minimum) + ahead;
    const double by = above <= 0 ? 0 : rho * above < c.lr * squares ? above / (c.lr * squares) : 1 / rho + 0 * above;  // τ/lr
    const auto kernel = [now = step{*this, c}, by = by / shrinks,
                         decay = c.weight_decay / shrinks]<class T>(element<T> e, T first, T second) {
      const T scaled = now.take(e.update, first, second);
      return next(T(by) * scaled + T(decay) * e.parameter, first, second);
    };
    const bool is_usable = is_finite(mean_product);
    return next(kernel, is_usable ? mean_loss : loss, is_usable ? mean_product : products, is_usable ? rho : share);
  }

  constexpr context pass_on(context c) const {
    c.weight_decay = 0;
    return c;
  }

private:
  struct step {
    double beta1, beta2, epsilon, unbias;
    constexpr step(const scale_by_momo_adam& m, const context& c)
        : beta1(m.beta1), beta2(m.beta2), epsilon(m.epsilon), unbias(1 / one_minus_pow(m.beta2, static_cast<double>(c.step))) {}
    /// The moments with u, and m/D.
    template <class T>
    constexpr T take(T update, T& first, T& second) const {
      const T u = squarable(update);
      first = lerp(u, first, beta1);
      second = lerp(u * u, second, beta2);
      return first / (sqrt(T(unbias) * second) + T(epsilon));
    }
  };
};

}  // namespace thalweg
