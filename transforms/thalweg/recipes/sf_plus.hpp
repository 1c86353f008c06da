// sf_plus: Schedule-Free AdamW without a learning rate to tune.
#pragma once

#include <optional>

#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/average_from.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/update_by_schedule_free_polyak.hpp>
#include <thalweg/transforms/weigh_by_largest_lr.hpp>

namespace thalweg::recipes {

/// ScheduleFree+, Defazio, arXiv 2605.19095; facebookresearch/schedule_free's AdamCScheduleFreePlusPaper. It reads the
/// loss: `step(gradients, {.loss = loss})`. Use lr = 1. λ is not that of AdamW: the authors use 5 to 50.
///
///     auto opt = optimizer(recipes::sf_plus({.steps = 10000, .average_steps = 2000}), parameters,
///                          {.lr = 1, .weight_decay = 20, .warmup_steps = 1000});
struct sf_plus {
  double beta1 = scale_by_adam{}.beta1;
  double beta2 = 0.95;  ///< AdamCScheduleFreePlusPaper
  double epsilon = scale_by_adam{}.epsilon;
  double beta = update_by_schedule_free_polyak{}.beta;
  std::optional<long> steps{};  ///< in which β moves to `last_beta`
  double last_beta = update_by_schedule_free_polyak{}.last_beta;
  double norm_beta = update_by_schedule_free_polyak{}.norm_beta;
  long average_steps = 1;  ///< x = z up to this step: "c warm-up", the authors use once or twice the warm-up
  static constexpr const char* elsewhere[] = {"schedule_free_plus", "adamc_schedule_free_plus_paper"};
  static constexpr auto fields =
      list{field{"beta1", &sf_plus::beta1, range_of(&scale_by_adam::beta1)},
           field{"beta2", &sf_plus::beta2, range_of(&scale_by_adam::beta2)},
           field{"epsilon", &sf_plus::epsilon, range_of(&scale_by_adam::epsilon)},
           field{"beta", &sf_plus::beta, range_of(&update_by_schedule_free_polyak::beta)},
           field{"steps", &sf_plus::steps, range_of(&update_by_schedule_free_polyak::steps)},
           field{"last_beta", &sf_plus::last_beta, range_of(&update_by_schedule_free_polyak::last_beta)},
           field{"norm_beta", &sf_plus::norm_beta, range_of(&update_by_schedule_free_polyak::norm_beta)},
           field{"average_steps", &sf_plus::average_steps, range_of(&average_from::steps)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return weigh_by_largest_lr{} | average_from{.steps = average_steps} |
           scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon} |
           update_by_schedule_free_polyak{.beta = beta, .steps = steps, .last_beta = last_beta, .norm_beta = norm_beta};
  }
};

}  // namespace thalweg::recipes
