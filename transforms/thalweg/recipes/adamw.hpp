// adamw: Adam with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>

namespace thalweg::recipes {

struct adamw_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta1", &adamw_options::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &adamw_options::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &adamw_options::epsilon, range_of(&scale_by_adam::epsilon)}};
};

/// Loshchilov & Hutter, arXiv 1711.05101; torch.optim.AdamW.
///
///     auto opt = optimizer(recipes::adamw(), parameters, {.lr = 1e-3, .weight_decay = 0.01});
constexpr auto adamw(adamw_options o = {}) {
  return scale_by_adam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon} | apply_update{};
}

}  // namespace thalweg::recipes
