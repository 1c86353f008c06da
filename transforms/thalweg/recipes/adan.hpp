// adan: Adan with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_adan.hpp>

namespace thalweg::recipes {

/// Xie et al., arXiv 2208.06677. The paper divides by 1 + lr·λ. This recipe multiplies by 1 - lr·λ.
///
///     auto opt = optimizer(recipes::adan(), parameters, {.lr = 1e-3, .weight_decay = 0.02});
struct adan {
  double beta1 = scale_by_adan{}.beta1;
  double beta2 = scale_by_adan{}.beta2;
  double beta3 = scale_by_adan{}.beta3;
  double epsilon = scale_by_adan{}.epsilon;
  static constexpr auto fields = list{field{"beta1", &adan::beta1, range_of(&scale_by_adan::beta1)},
                                      field{"beta2", &adan::beta2, range_of(&scale_by_adan::beta2)},
                                      field{"beta3", &adan::beta3, range_of(&scale_by_adan::beta3)},
                                      field{"epsilon", &adan::epsilon, range_of(&scale_by_adan::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_adan{.beta1 = beta1, .beta2 = beta2, .beta3 = beta3, .epsilon = epsilon} | apply_update{};
  }
};

}  // namespace thalweg::recipes
