// amsgrad: Adam whose denominator never falls, with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_amsgrad.hpp>

namespace thalweg::recipes {

/// Reddi et al., arXiv 1904.09237; torch.optim.AdamW(amsgrad=True).
///
///     auto opt = optimizer(recipes::amsgrad(), parameters, {.lr = 1e-3, .weight_decay = 0.01});
struct amsgrad {
  double beta1 = scale_by_amsgrad{}.beta1;
  double beta2 = scale_by_amsgrad{}.beta2;
  double epsilon = scale_by_amsgrad{}.epsilon;
  static constexpr auto fields = list{field{"beta1", &amsgrad::beta1, range_of(&scale_by_amsgrad::beta1)},
                                      field{"beta2", &amsgrad::beta2, range_of(&scale_by_amsgrad::beta2)},
                                      field{"epsilon", &amsgrad::epsilon, range_of(&scale_by_amsgrad::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_amsgrad{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon} | apply_update{};
  }
};

}  // namespace thalweg::recipes
