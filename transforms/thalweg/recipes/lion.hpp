// lion: the sign of an interpolated momentum, with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_lion.hpp>

namespace thalweg::recipes {

struct lion_options {
  double beta1 = 0.9;
  double beta2 = 0.99;
  static constexpr auto fields = list{field{"beta1", &lion_options::beta1, range_of(&scale_by_lion::beta1)},
                                      field{"beta2", &lion_options::beta2, range_of(&scale_by_lion::beta2)}};
};

/// Chen et al., arXiv 2302.06675.
///
///     auto opt = optimizer(recipes::lion(), parameters, {.lr = 1e-4, .weight_decay = 0.1});
constexpr auto lion(lion_options o = {}) {
  return scale_by_lion{.beta1 = o.beta1, .beta2 = o.beta2} | apply_update{};
}

}  // namespace thalweg::recipes
