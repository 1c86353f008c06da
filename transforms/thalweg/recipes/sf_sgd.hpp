// sf_sgd: Schedule-Free stochastic gradient descent.
#pragma once

#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

struct sf_sgd_options {
  double beta = 0.9;
  static constexpr auto fields = list{field{"beta", &sf_sgd_options::beta, range_of(&update_by_schedule_free::beta)}};
};

/// Defazio et al., arXiv 2405.15682; facebookresearch/schedule_free's SGDScheduleFree. The decay acts at y.
///
///     auto opt = optimizer(recipes::sf_sgd(), parameters, {.lr = 1.0, .warmup_steps = 100});
constexpr auto sf_sgd(sf_sgd_options o = {}) {
  return chain(update_by_schedule_free{.beta = o.beta, .decay = decay_point::y});
}

}  // namespace thalweg::recipes
