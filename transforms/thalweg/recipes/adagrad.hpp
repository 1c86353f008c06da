// adagrad: the gradient over the root of all its squares.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_rss.hpp>

namespace thalweg::recipes {

struct adagrad_options {
  double initial = 0;
  double epsilon = 1e-10;
  static constexpr auto fields = list{field{"initial", &adagrad_options::initial, range_of(&scale_by_rss::initial)},
                                      field{"epsilon", &adagrad_options::epsilon, range_of(&scale_by_rss::epsilon)}};
};

/// Duchi et al., JMLR 12 (2011); torch.optim.Adagrad. The decay is an L2 penalty.
///
///     auto opt = optimizer(recipes::adagrad(), parameters, {.lr = 0.01});
constexpr auto adagrad(adagrad_options o = {}) {
  return decay_weights{} | scale_by_rss{.initial = o.initial, .epsilon = o.epsilon} | apply_update{};
}

}  // namespace thalweg::recipes
