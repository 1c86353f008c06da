// linear: the learning rate falls along a straight line.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr·(1 - (1-final)·p),  p = min(1, (t-1)/steps)
///
/// | field | default  |
/// |-------|----------|
/// | steps | required |
/// | final | 0        |
///
///     auto c = linear{.steps = 10000, .final = 0.1} | scale_by_adam{};
struct linear {
  required<long> steps;
  double final = 0;
  static constexpr const char* elsewhere[] = {"linear_decay"};
  static constexpr auto fields = list{field{"steps", &linear::steps, from(1)},
                                      field{"final", &linear::final, from(0).to(1)}};

  constexpr context at(context c) const {
    const double progress = min(1.0, static_cast<double>(c.step - 1) / static_cast<double>(steps));
    c.lr *= 1 - (1 - final) * progress;
    return c;
  }
};

}  // namespace thalweg
