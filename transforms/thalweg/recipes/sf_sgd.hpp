// sf_sgd: Schedule-Free stochastic gradient descent.
#pragma once

#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

/// Defazio et al., arXiv 2405.15682; facebookresearch/schedule_free's SGDScheduleFree. The decay acts at y. That code
/// weighs the average by the largest lr so far. To do the same, put `weigh_by_largest_lr` before this recipe.
///
///     auto opt = optimizer(recipes::sf_sgd(), parameters, {.lr = 1.0, .warmup_steps = 100});
struct sf_sgd {
  double beta = update_by_schedule_free{}.beta;
  static constexpr const char* elsewhere[] = {"schedule_free_sgd", "sgd_schedule_free"};
  static constexpr auto fields = list{field{"beta", &sf_sgd::beta, range_of(&update_by_schedule_free::beta)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return chain(update_by_schedule_free{.beta = beta, .decay = decay_point::y});
  }
};

}  // namespace thalweg::recipes
