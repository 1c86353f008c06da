// sf_radam: Schedule-Free AdamW whose warm-up follows from its second moment.
#pragma once

#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/rectify_lr.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

/// facebookresearch/schedule_free's RAdamScheduleFree; the first steps change nothing. The decay acts at y. That code
/// weighs the average by the largest lr so far. To do the same, put `weigh_by_largest_lr` before this recipe.
///
///     auto opt = optimizer(recipes::sf_radam(), parameters, {.lr = 2.5e-3});
struct sf_radam {
  double beta1 = update_by_schedule_free{}.beta;  ///< Schedule-Free's β, instead of Adam's first moment
  double beta2 = rectify_lr{}.beta2;
  double epsilon = 1e-8;  ///< RAdamScheduleFree
  static constexpr const char* elsewhere[] = {"schedule_free_radam", "radam_schedule_free"};
  static constexpr auto fields = list{field{"beta1", &sf_radam::beta1, range_of(&update_by_schedule_free::beta)},
                                      field{"beta2", &sf_radam::beta2, range_of(&rectify_lr::beta2)},
                                      field{"epsilon", &sf_radam::epsilon, range_of(&scale_by_exp_avg_sq::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return rectify_lr{.beta2 = beta2} | scale_by_exp_avg_sq{.beta2 = beta2, .epsilon = epsilon} |
           update_by_schedule_free{.beta = beta1, .decay = decay_point::y};
  }
};

}  // namespace thalweg::recipes
