// amsgrad: Adam whose denominator never falls, with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_amsgrad.hpp>

namespace thalweg::recipes {

struct amsgrad_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr auto fields =
      list{field{"beta1", &amsgrad_options::beta1, range_of(&scale_by_amsgrad::beta1)},
           field{"beta2", &amsgrad_options::beta2, range_of(&scale_by_amsgrad::beta2)},
           field{"epsilon", &amsgrad_options::epsilon, range_of(&scale_by_amsgrad::epsilon)}};
};

/// Reddi et al., arXiv 1904.09237; torch.optim.AdamW(amsgrad=True).
///
///     auto opt = optimizer(recipes::amsgrad(), parameters, {.lr = 1e-3, .weight_decay = 0.01});
constexpr auto amsgrad(amsgrad_options o = {}) {
  return scale_by_amsgrad{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon} | apply_update{};
}

}  // namespace thalweg::recipes
