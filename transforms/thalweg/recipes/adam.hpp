// adam: Adam as it was published; the decay is an L2 penalty.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>

namespace thalweg::recipes {

struct adam_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta1", &adam_options::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &adam_options::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &adam_options::epsilon, range_of(&scale_by_adam::epsilon)}};
};

/// Kingma & Ba, arXiv 1412.6980; torch.optim.Adam.
///
///     auto opt = optimizer(recipes::adam(), parameters, {.lr = 1e-3});
constexpr auto adam(adam_options o = {}) {
  return decay_weights{} | scale_by_adam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon} | apply_update{};
}

}  // namespace thalweg::recipes
