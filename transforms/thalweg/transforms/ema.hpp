// ema: an exponential moving average of the update.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// m ← (1-β)·u + β·m, update m
///
/// | field | default | source                                   |
/// |-------|---------|------------------------------------------|
/// | beta  | 0.9     | Adam's first moment, arXiv 1412.6980     |
///
/// No bias correction: the first updates are (1-β) times as long as the gradient. State: `momentum`, from zero.
///
///     auto c = ema{.beta = 0.9} | apply_update{};
struct ema {
  double beta = 0.9;
  static constexpr auto fields = list{field{"beta", &ema::beta, from(0).below(1)}};

  using states = state<zeros<"momentum">>;

  constexpr auto at(const context&) const {
    return [beta = beta]<class T>(element<T> e, T momentum) {
      momentum = lerp(e.update, momentum, beta);
      return next(momentum, momentum);
    };
  }
};

}  // namespace thalweg
