// cosine: the learning rate falls along half a cosine wave.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr·(final + (1-final)·(1 + cos(π·p))/2),  p = min(1, (t-1)/steps)
///
/// | field | default  | source                                |
/// |-------|----------|---------------------------------------|
/// | steps | required | the budget of the whole training      |
/// | final | 0        | Loshchilov & Hutter, arXiv 1608.03983 |
///
///     auto c = cosine{.steps = 10000} | scale_by_adam{};
struct cosine {
  required<long> steps;
  double final = 0;
  static constexpr const char* elsewhere[] = {"cosine_annealing", "cosine_decay"};
  static constexpr auto fields = list{field{"steps", &cosine::steps, from(1)},
                                      field{"final", &cosine::final, from(0).to(1)}};

  constexpr context at(context c) const {
    const double progress = min(1.0, static_cast<double>(c.step - 1) / static_cast<double>(steps));
    c.lr *= final + (1 - final) * (1 + cos(std::numbers::pi * progress)) / 2;
    return c;
  }
};

}  // namespace thalweg
