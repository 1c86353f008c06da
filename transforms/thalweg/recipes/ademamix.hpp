// ademamix: AdEMAMix with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_ademamix.hpp>

namespace thalweg::recipes {

/// Pagliardini et al., arXiv 2409.03137.
///
///     auto opt = optimizer(recipes::ademamix({.rise = 10000}), parameters, {.lr = 1e-3, .weight_decay = 0.1});
struct ademamix {
  double beta1 = scale_by_ademamix{}.beta1;
  double beta2 = scale_by_ademamix{}.beta2;
  double beta3 = scale_by_ademamix{}.beta3;
  double alpha = scale_by_ademamix{}.alpha;
  double epsilon = scale_by_ademamix{}.epsilon;
  double floor = scale_by_ademamix{}.floor;
  long rise = scale_by_ademamix{}.rise;
  static constexpr auto fields = list{field{"beta1", &ademamix::beta1, range_of(&scale_by_ademamix::beta1)},
                                      field{"beta2", &ademamix::beta2, range_of(&scale_by_ademamix::beta2)},
                                      field{"beta3", &ademamix::beta3, range_of(&scale_by_ademamix::beta3)},
                                      field{"alpha", &ademamix::alpha, range_of(&scale_by_ademamix::alpha)},
                                      field{"epsilon", &ademamix::epsilon, range_of(&scale_by_ademamix::epsilon)},
                                      field{"floor", &ademamix::floor, range_of(&scale_by_ademamix::floor)},
                                      field{"rise", &ademamix::rise, range_of(&scale_by_ademamix::rise)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_ademamix{.beta1 = beta1, .beta2 = beta2, .beta3 = beta3, .alpha = alpha,
                             .epsilon = epsilon, .floor = floor, .rise = rise} |
           apply_update{};
  }
};

}  // namespace thalweg::recipes
