// adamw: Adam with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>

namespace thalweg::recipes {

/// Loshchilov & Hutter, arXiv 1711.05101; torch.optim.AdamW.
///
///     auto opt = optimizer(recipes::adamw(), parameters, {.lr = 1e-3, .weight_decay = 0.01});
struct adamw {
  double beta1 = scale_by_adam{}.beta1;
  double beta2 = scale_by_adam{}.beta2;
  double epsilon = scale_by_adam{}.epsilon;
  static constexpr auto fields = list{field{"beta1", &adamw::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &adamw::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &adamw::epsilon, range_of(&scale_by_adam::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon} | apply_update{};
  }
};

}  // namespace thalweg::recipes
