// warmup_stable_decay: the learning rate rises, stays constant, and falls at the end.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr·min(1, t/warmup_steps)·(final + (1-final)·min(1, (steps+1-t)/decay_steps)), and lr·final after `steps`
///
/// | field        | default  | source                                |
/// |--------------|----------|---------------------------------------|
/// | warmup_steps | required | MiniCPM (Hu et al.), arXiv 2404.06395 |
/// | steps        | required | the budget of the whole training      |
/// | decay_steps  | required | the same; there, a tenth of `steps`   |
/// | final        | 0        |                                       |
///
///     auto c = warmup_stable_decay{.warmup_steps = 100, .steps = 10000, .decay_steps = 1000} | scale_by_adam{};
struct warmup_stable_decay {
  required<long> warmup_steps;
  required<long> steps;
  required<long> decay_steps;
  double final = 0;
  static constexpr const char* elsewhere[] = {"wsd"};
  static constexpr auto fields = list{field{"warmup_steps", &warmup_stable_decay::warmup_steps, from(1)},
                                      field{"steps", &warmup_stable_decay::steps, from(1)},
                                      field{"decay_steps", &warmup_stable_decay::decay_steps, from(1)},
                                      field{"final", &warmup_stable_decay::final, from(0).to(1)}};

  constexpr context at(context c) const {
    const auto part = [](long of, long whole) {
      return max(0.0, min(1.0, static_cast<double>(of) / static_cast<double>(whole)));
    };
    c.lr *= part(c.step, warmup_steps) * (final + (1 - final) * part(steps - c.step + 1, decay_steps));
    c.warmup_steps = warmup_steps;
    return c;
  }
};

}  // namespace thalweg
