// adan: Adan with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_adan.hpp>

namespace thalweg::recipes {

struct adan_options {
  double beta1 = 0.98;
  double beta2 = 0.92;
  double beta3 = 0.99;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta1", &adan_options::beta1, range_of(&scale_by_adan::beta1)},
                                      field{"beta2", &adan_options::beta2, range_of(&scale_by_adan::beta2)},
                                      field{"beta3", &adan_options::beta3, range_of(&scale_by_adan::beta3)},
                                      field{"epsilon", &adan_options::epsilon, range_of(&scale_by_adan::epsilon)}};
};

/// Xie et al., arXiv 2208.06677. The paper divides by 1 + lr·λ where this multiplies by 1 - lr·λ.
///
///     auto opt = optimizer(recipes::adan(), parameters, {.lr = 1e-3, .weight_decay = 0.02});
constexpr auto adan(adan_options o = {}) {
  return scale_by_adan{.beta1 = o.beta1, .beta2 = o.beta2, .beta3 = o.beta3, .epsilon = o.epsilon} | apply_update{};
}

}  // namespace thalweg::recipes
