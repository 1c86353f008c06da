// sf_adamw: Schedule-Free AdamW.
#pragma once

#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

/// Defazio et al., arXiv 2405.15682; facebookresearch/schedule_free's AdamWScheduleFree. The decay acts at y. That code
/// weighs the average by the largest lr so far. To do the same, put `weigh_by_largest_lr` before this recipe.
///
///     auto opt = optimizer(recipes::sf_adamw(), parameters, {.lr = 2.5e-3, .warmup_steps = 100});
struct sf_adamw {
  double beta1 = update_by_schedule_free{}.beta;  ///< Schedule-Free's β, instead of Adam's first moment
  double beta2 = scale_by_exp_avg_sq{}.beta2;
  double epsilon = 1e-8;  ///< AdamWScheduleFree
  static constexpr const char* elsewhere[] = {"schedule_free_adamw", "adamw_schedule_free"};
  static constexpr auto fields = list{field{"beta1", &sf_adamw::beta1, range_of(&update_by_schedule_free::beta)},
                                      field{"beta2", &sf_adamw::beta2, range_of(&scale_by_exp_avg_sq::beta2)},
                                      field{"epsilon", &sf_adamw::epsilon, range_of(&scale_by_exp_avg_sq::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_exp_avg_sq{.beta2 = beta2, .epsilon = epsilon} |
           update_by_schedule_free{.beta = beta1, .decay = decay_point::y};
  }
};

}  // namespace thalweg::recipes
