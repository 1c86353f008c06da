// sf_radam: Schedule-Free AdamW whose warm-up follows from its second moment.
#pragma once

#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/rectify_lr.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

struct sf_radam_options {
  double beta1 = 0.9;  ///< the interpolation, in the place of Adam's first moment
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr auto fields =
      list{field{"beta1", &sf_radam_options::beta1, range_of(&update_by_schedule_free::beta)},
           field{"beta2", &sf_radam_options::beta2, range_of(&rectify_lr::beta2)},
           field{"epsilon", &sf_radam_options::epsilon, range_of(&scale_by_exp_avg_sq::epsilon)}};
};

/// facebookresearch/schedule_free's RAdamScheduleFree, with its silent first steps. The decay acts at y.
///
///     auto opt = optimizer(recipes::sf_radam(), parameters, {.lr = 2.5e-3});
constexpr auto sf_radam(sf_radam_options o = {}) {
  return rectify_lr{.beta2 = o.beta2} | scale_by_exp_avg_sq{.beta2 = o.beta2, .epsilon = o.epsilon} |
         update_by_schedule_free{.beta = o.beta1, .decay = decay_point::y};
}

}  // namespace thalweg::recipes
