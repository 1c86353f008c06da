// lamb: Adam's steps, as long as the parameters they change.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/scale_by_trust_ratio.hpp>

namespace thalweg::recipes {

struct lamb_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-6;
  static constexpr auto fields = list{field{"beta1", &lamb_options::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &lamb_options::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &lamb_options::epsilon, range_of(&scale_by_adam::epsilon)}};
};

/// You et al., arXiv 1904.00962.
///
///     auto opt = optimizer(recipes::lamb(), parameters, {.lr = 1e-3, .weight_decay = 0.01});
constexpr auto lamb(lamb_options o = {}) {
  return scale_by_adam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon} | decay_weights{} |
         scale_by_trust_ratio{} | apply_update{};
}

}  // namespace thalweg::recipes
