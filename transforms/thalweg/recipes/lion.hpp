// lion: the sign of an interpolated momentum, with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_lion.hpp>

namespace thalweg::recipes {

/// Chen et al., arXiv 2302.06675.
///
///     auto opt = optimizer(recipes::lion(), parameters, {.lr = 1e-4, .weight_decay = 0.1});
struct lion {
  double beta1 = scale_by_lion{}.beta1;
  double beta2 = scale_by_lion{}.beta2;
  static constexpr auto fields = list{field{"beta1", &lion::beta1, range_of(&scale_by_lion::beta1)},
                                      field{"beta2", &lion::beta2, range_of(&scale_by_lion::beta2)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_lion{.beta1 = beta1, .beta2 = beta2} | apply_update{};
  }
};

}  // namespace thalweg::recipes
