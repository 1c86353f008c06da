// adopt: ADOPT with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_adopt.hpp>

namespace thalweg::recipes {

struct adopt_options {
  double beta1 = 0.9;
  double beta2 = 0.9999;
  double epsilon = 1e-6;
  adopt_start start = adopt_start::published;
  static constexpr auto fields = list{field{"beta1", &adopt_options::beta1, range_of(&scale_by_adopt::beta1)},
                                      field{"beta2", &adopt_options::beta2, range_of(&scale_by_adopt::beta2)},
                                      field{"epsilon", &adopt_options::epsilon, range_of(&scale_by_adopt::epsilon)},
                                      field{"start", &adopt_options::start}};
};

/// Taniguchi et al., arXiv 2411.02853.
///
///     auto opt = optimizer(recipes::adopt(), parameters, {.lr = 1e-3});
constexpr auto adopt(adopt_options o = {}) {
  return scale_by_adopt{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon, .start = o.start} | apply_update{};
}

}  // namespace thalweg::recipes
