// adopt: ADOPT with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_adopt.hpp>

namespace thalweg::recipes {

/// Taniguchi et al., arXiv 2411.02853.
///
///     auto opt = optimizer(recipes::adopt(), parameters, {.lr = 1e-3});
struct adopt {
  double beta1 = scale_by_adopt{}.beta1;
  double beta2 = scale_by_adopt{}.beta2;
  double epsilon = scale_by_adopt{}.epsilon;
  adopt_start start = scale_by_adopt{}.start;
  static constexpr auto fields = list{field{"beta1", &adopt::beta1, range_of(&scale_by_adopt::beta1)},
                                      field{"beta2", &adopt::beta2, range_of(&scale_by_adopt::beta2)},
                                      field{"epsilon", &adopt::epsilon, range_of(&scale_by_adopt::epsilon)},
                                      field{"start", &adopt::start}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_adopt{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .start = start} | apply_update{};
  }
};

}  // namespace thalweg::recipes
