// cosine_restarts: the learning rate falls along half a cosine wave, then restarts at the top.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr·(final + (1-final)·(1 + cos(π·p))/2), with p from 0 to 1 in each cycle. The first cycle has `steps` steps. Each
/// later cycle is `growth` times as long as the cycle before it.
///
/// | field  | default  | source                                          |
/// |--------|----------|-------------------------------------------------|
/// | steps  | required | SGDR, Loshchilov & Hutter, arXiv 1608.03983: T₀ |
/// | growth | 1        | the same: T_mult                                |
/// | final  | 0        | the same                                        |
///
///     auto c = cosine_restarts{.steps = 1000, .growth = 2} | scale_by_adam{};
struct cosine_restarts {
  required<long> steps;
  double growth = 1;
  double final = 0;
  static constexpr auto fields = list{field{"steps", &cosine_restarts::steps, from(1)},
                                      field{"growth", &cosine_restarts::growth, from(1)},
                                      field{"final", &cosine_restarts::final, from(0).to(1)}};

  constexpr context at(context c) const {
    double past = static_cast<double>(c.step - 1), length = static_cast<double>(steps);
    if (growth == 1) past -= length * static_cast<double>((c.step - 1) / steps);
    else
      for (; past >= length; length *= growth) past -= length;
    c.lr *= final + (1 - final) * (1 + cos(std::numbers::pi * past / length)) / 2;
    return c;
  }
};

}  // namespace thalweg
