// laprop: LaProp with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_laprop.hpp>

namespace thalweg::recipes {

/// Ziyin et al., arXiv 2002.04839.
///
///     auto opt = optimizer(recipes::laprop(), parameters, {.lr = 4e-4});
struct laprop {
  double beta1 = scale_by_laprop{}.beta1;
  double beta2 = scale_by_laprop{}.beta2;
  double epsilon = scale_by_laprop{}.epsilon;
  double floor = scale_by_laprop{}.floor;
  static constexpr auto fields = list{field{"beta1", &laprop::beta1, range_of(&scale_by_laprop::beta1)},
                                      field{"beta2", &laprop::beta2, range_of(&scale_by_laprop::beta2)},
                                      field{"epsilon", &laprop::epsilon, range_of(&scale_by_laprop::epsilon)},
                                      field{"floor", &laprop::floor, range_of(&scale_by_laprop::floor)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_laprop{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .floor = floor} | apply_update{};
  }
};

}  // namespace thalweg::recipes
