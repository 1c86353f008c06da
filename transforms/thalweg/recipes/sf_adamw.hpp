// sf_adamw: Schedule-Free AdamW.
#pragma once

#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

struct sf_adamw_options {
  double beta1 = 0.9;  ///< the interpolation, in the place of Adam's first moment
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr auto fields =
      list{field{"beta1", &sf_adamw_options::beta1, range_of(&update_by_schedule_free::beta)},
           field{"beta2", &sf_adamw_options::beta2, range_of(&scale_by_exp_avg_sq::beta2)},
           field{"epsilon", &sf_adamw_options::epsilon, range_of(&scale_by_exp_avg_sq::epsilon)}};
};

/// Defazio et al., arXiv 2405.15682; facebookresearch/schedule_free's AdamWScheduleFree. The decay acts at y.
///
///     auto opt = optimizer(recipes::sf_adamw(), parameters, {.lr = 2.5e-3, .warmup_steps = 100});
constexpr auto sf_adamw(sf_adamw_options o = {}) {
  return scale_by_exp_avg_sq{.beta2 = o.beta2, .epsilon = o.epsilon} |
         update_by_schedule_free{.beta = o.beta1, .decay = decay_point::y};
}

}  // namespace thalweg::recipes
