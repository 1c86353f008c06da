// inverse_sqrt: the learning rate falls with one over the root of the step.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr·min(1, √(steps/t)): constant for `steps` steps, then it falls forever
///
/// | field | default  | source                                                                       |
/// |-------|----------|------------------------------------------------------------------------------|
/// | steps | required | Vaswani et al., arXiv 1706.03762, with a `warmup` of `steps` steps before it |
///
///     auto c = warmup{.steps = 4000} | inverse_sqrt{.steps = 4000} | scale_by_adam{};
struct inverse_sqrt {
  required<long> steps;
  static constexpr auto fields = list{field{"steps", &inverse_sqrt::steps, from(1)}};

  constexpr context at(context c) const {
    c.lr *= min(1.0, sqrt(static_cast<double>(steps) / static_cast<double>(c.step)));
    return c;
  }
};

}  // namespace thalweg
