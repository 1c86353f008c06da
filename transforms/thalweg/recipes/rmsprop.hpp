// rmsprop: the gradient over its running root mean square.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_rms.hpp>

namespace thalweg::recipes {

struct rmsprop_options {
  double beta = 0.99;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta", &rmsprop_options::beta, range_of(&scale_by_rms::beta)},
                                      field{"epsilon", &rmsprop_options::epsilon, range_of(&scale_by_rms::epsilon)}};
};

/// torch.optim.RMSprop without momentum; the decay is an L2 penalty.
///
///     auto opt = optimizer(recipes::rmsprop(), parameters, {.lr = 0.01});
constexpr auto rmsprop(rmsprop_options o = {}) {
  return decay_weights{} | scale_by_rms{.beta = o.beta, .epsilon = o.epsilon} | apply_update{};
}

}  // namespace thalweg::recipes
