// warmup: the learning rate rises linearly from zero.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr·min(1, t/steps). `steps` becomes the context's warmup_steps (T₀) for the transforms downstream.
///
/// | field | default  |
/// |-------|----------|
/// | steps | required |
///
/// The option `{.warmup_steps = …}` of the optimizer does the same for the whole chain. With both, the factors multiply.
///
///     auto c = warmup{.steps = 100} | scale_by_adam{};
struct warmup {
  required<long> steps;
  static constexpr auto fields = list{field{"steps", &warmup::steps, from(1)}};

  constexpr context at(context c) const {
    c.lr *= min(1.0, static_cast<double>(c.step) / static_cast<double>(steps));
    c.warmup_steps = steps;
    return c;
  }
};

}  // namespace thalweg
