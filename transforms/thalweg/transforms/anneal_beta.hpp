// anneal_beta: Schedule-Free's β from one value to another.
#pragma once

#include <thalweg/core/annealed_beta.hpp>
#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// 1 - β_t = (1 - first)^(1-p)·(1 - last)^p,  p = min(1, t/steps)
///
/// | field | default  | source                                                                             |
/// |-------|----------|------------------------------------------------------------------------------------|
/// | steps | required |                                                                                    |
/// | first | 0.9      | ScheduleFree+, Defazio, arXiv 2605.19095                                           |
/// | last  | 0.965    | the same                                                                           |
///
/// Contextual: it passes `interpolation_beta` to the Schedule-Free transform downstream.
///
///     auto c = scale_by_adam{.beta2 = 0.95} | anneal_beta{.steps = 10000} | update_by_schedule_free{};
struct anneal_beta {
  required<long> steps;
  double first = 0.9;
  double last = 0.965;
  static constexpr auto fields = list{field{"steps", &anneal_beta::steps, from(1)},
                                      field{"first", &anneal_beta::first, from(0.001).below(1)},
                                      field{"last", &anneal_beta::last, from(0.001).below(1)}};

  using feeds = interpolation_beta;

  constexpr context at(context c) const {
    c.say<interpolation_beta>(annealed_beta(first, last, c.step, steps));
    return c;
  }
};

}  // namespace thalweg
