// average_from: an average that begins late.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// c_t = 1 up to step `steps`, so that x = z; after that c_t is unchanged, and its sum has the weights of all steps
///
/// | field | default  | source                                                                   |
/// |-------|----------|--------------------------------------------------------------------------|
/// | steps | required | "c warm-up" of ScheduleFree+, Defazio, arXiv 2605.19095: twice the warm-up |
///
/// For the average of Schedule-Free (`update_by_schedule_free`, `update_and_average`). Contextual. Place it after
/// `amuse_beta`, which computes β from c.
///
///     auto c = scale_by_exp_avg_sq{} | average_from{.steps = 200} | update_by_schedule_free{};
struct average_from {
  required<long> steps;
  static constexpr auto fields = list{field{"steps", &average_from::steps, from(1)}};

  constexpr context at(context c) const {
    if (c.step <= steps && c.average_weight > 0) c.average_weight = 1;  // 0: nothing moves
    return c;
  }
};

}  // namespace thalweg
