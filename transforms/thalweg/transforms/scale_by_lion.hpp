// scale_by_lion: the sign of an interpolated momentum.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update sign(β₁·m + (1-β₁)·u),  m ← β₂·m + (1-β₂)·u
///
/// | field | default | source                         |
/// |-------|---------|--------------------------------|
/// | beta1 | 0.9     | Chen et al., arXiv 2302.06675  |
/// | beta2 | 0.99    | the same                       |
///
/// State: `momentum`, from zero.
///
///     auto lion = scale_by_lion{} | apply_update{};
struct scale_by_lion {
  double beta1 = 0.9;
  double beta2 = 0.99;
  static constexpr auto fields = list{field{"beta1", &scale_by_lion::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_lion::beta2, from(0).below(1)}};

  using states = state<zeros<"momentum">>;

  constexpr auto at(const context&) const {
    return [*this]<class T>(element<T> e, T momentum) {
      return next(sign(lerp(e.update, momentum, beta1)), lerp(e.update, momentum, beta2));
    };
  }
};

}  // namespace thalweg
