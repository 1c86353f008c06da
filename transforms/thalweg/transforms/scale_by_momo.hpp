// scale_by_momo: momentum, with a step size from a model of the loss.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← β·m + (1-β)·u,  f ← β·f + (1-β)·loss,  q ← β·q + (1-β)·⟨u, θ⟩, each from the first step's value,
/// τ = min(lr, ((1 + lr·λ)·(f - q - minimum) + ⟨m, θ⟩)₊ / ‖m‖²),  θ ← (θ - τ·m) / (1 + lr·λ). Then λ is 0.
///
/// | field   | default | source                                                   |
/// |---------|---------|----------------------------------------------------------|
/// | beta    | 0.9     | MoMo, Schaipp et al., arXiv 2305.07583; fabian-sp/MoMo   |
/// | minimum | 0       | the same: the lowest possible loss                       |
///
/// Model-wise; reads the loss: `step(gradients, {.loss = loss})`. lr is the largest step size; the authors use 1. The
/// model of the loss is correct if all parameters have a gradient in every step. Parameters without one add nothing to
/// the sums. State: `momentum`, from zero; the scalars `loss` f, `product` q and `steps` of the model.
///
///     auto opt = optimizer(scale_by_momo{} | apply_update{}, parameters, {.lr = 1});
struct scale_by_momo {
  double beta = 0.9;
  double minimum = 0;
  static constexpr const char* elsewhere[] = {"momo"};
  static constexpr auto fields = list{field{"beta", &scale_by_momo::beta, from(0).below(1)},
                                      field{"minimum", &scale_by_momo::minimum, finite_number}};

  using states = state<zeros<"momentum">, scalar<"loss">, scalar<"product">, scalar<"steps">>;
  using reads = loss_of_step;

  constexpr auto reduce(const context&, double, double, double steps) const {
    return [b = steps == 0 ? 0 : beta]<class T>(element<T> e, T momentum) {
      momentum = lerp(e.update, momentum, b);
      return sums(momentum * momentum, momentum * e.parameter, e.update * e.parameter);
    };
  }

  constexpr auto at(const context& c, double squares, double ahead, double product, double loss, double products,
                    double steps) const noexcept {
    const double b = steps == 0 ? 0 : beta, shrinks = 1 + c.lr * c.weight_decay;
    const double mean_loss = lerp(c.loss.value_or(minimum), loss, b), mean_product = lerp(product, products, b);
    const double above = shrinks * (mean_loss - mean_product - minimum) + ahead;
    const double by = above <= 0 ? 0 : above < c.lr * squares ? above / (c.lr * squares) : 1 + 0 * above;  // τ/lr
    const auto kernel = [b, by = by / shrinks, decay = c.weight_decay / shrinks]<class T>(element<T> e, T momentum) {
      momentum = lerp(e.update, momentum, b);
      return next(T(by) * momentum + T(decay) * e.parameter, momentum);
    };
    const bool is_usable = is_finite(mean_product);
    return next(kernel, is_usable ? mean_loss : loss, is_usable ? mean_product : products, steps + is_usable);
  }

  constexpr context pass_on(context c) const {
    c.weight_decay = 0;
    return c;
  }
};

}  // namespace thalweg
