// reciprocal: the learning rate falls with one over the step.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr/(1 + (t-1)/steps)
///
/// | field | default  | source                                               |
/// |-------|----------|------------------------------------------------------|
/// | steps | required | lr is halved after these steps; Robbins & Monro 1951 |
///
///     auto c = reciprocal{.steps = 1000} | heavyball_momentum{};
struct reciprocal {
  required<long> steps;
  static constexpr const char* elsewhere[] = {"inverse_time_decay"};
  static constexpr auto fields = list{field{"steps", &reciprocal::steps, from(1)}};

  constexpr context at(context c) const {
    c.lr /= 1 + static_cast<double>(c.step - 1) / static_cast<double>(steps);
    return c;
  }
};

}  // namespace thalweg
