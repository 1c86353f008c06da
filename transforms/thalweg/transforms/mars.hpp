// mars: the gradient, corrected by how it changed since the last step.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u + γ·β₁/(1-β₁)·(u - p),  p ← u
///
/// | field | default | source                                                                          |
/// |-------|---------|---------------------------------------------------------------------------------|
/// | gamma | 0.025   | Yuan et al., arXiv 2411.10438                                                   |
/// | beta1 | 0.95    | the same: β₁ of the first moment after it                                          |
///
/// The variance reduction of MARS in the approximate form, which needs no second gradient. The paper then clips each
/// parameter's result to norm 1 (`clip_by_norm`). HeavyBall does not clip. At the first step p is zero, as in the
/// authors' code and in HeavyBall. HeavyBall's `chainable.mars` (at 07887bd) exchanges the arguments γ and β₁: its γ
/// acts as γ·(1-β₁)/(1-γ). The formula here is the paper's. By default the authors' code uses AdamW for vectors:
/// route(when(…), otherwise(scale_by_adam{})). State: `previous`, from zero.
///
///     auto c = mars{} | clip_by_norm{} | scale_by_adam{.beta1 = 0.95, .beta2 = 0.99};
struct mars {
  double gamma = 0.025;
  double beta1 = 0.95;
  static constexpr auto fields = list{field{"gamma", &mars::gamma, non_negative},
                                      field{"beta1", &mars::beta1, from(0).below(1)}};

  using states = state<zeros<"previous">>;

  constexpr auto at(const context&) const {
    return [by = gamma * beta1 / (1 - beta1)]<class T>(element<T> e, T previous) {
      return next(e.update + T(by) * (e.update - previous), e.update);
    };
  }
};

}  // namespace thalweg
