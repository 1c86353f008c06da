// laprop: LaProp with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_laprop.hpp>

namespace thalweg::recipes {

struct laprop_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-15;
  double floor = 0;
  static constexpr auto fields = list{field{"beta1", &laprop_options::beta1, range_of(&scale_by_laprop::beta1)},
                                      field{"beta2", &laprop_options::beta2, range_of(&scale_by_laprop::beta2)},
                                      field{"epsilon", &laprop_options::epsilon, range_of(&scale_by_laprop::epsilon)},
                                      field{"floor", &laprop_options::floor, range_of(&scale_by_laprop::floor)}};
};

/// Ziyin et al., arXiv 2002.04839.
///
///     auto opt = optimizer(recipes::laprop(), parameters, {.lr = 4e-4});
constexpr auto laprop(laprop_options o = {}) {
  return scale_by_laprop{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon, .floor = o.floor} | apply_update{};
}

}  // namespace thalweg::recipes
