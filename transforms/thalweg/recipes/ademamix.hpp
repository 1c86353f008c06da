// ademamix: AdEMAMix with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_ademamix.hpp>

namespace thalweg::recipes {

struct ademamix_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double beta3 = 0.9999;
  double alpha = 5;
  double epsilon = 1e-8;
  double floor = 0;
  long rise = 1;
  static constexpr auto fields =
      list{field{"beta1", &ademamix_options::beta1, range_of(&scale_by_ademamix::beta1)},
           field{"beta2", &ademamix_options::beta2, range_of(&scale_by_ademamix::beta2)},
           field{"beta3", &ademamix_options::beta3, range_of(&scale_by_ademamix::beta3)},
           field{"alpha", &ademamix_options::alpha, range_of(&scale_by_ademamix::alpha)},
           field{"epsilon", &ademamix_options::epsilon, range_of(&scale_by_ademamix::epsilon)},
           field{"floor", &ademamix_options::floor, range_of(&scale_by_ademamix::floor)},
           field{"rise", &ademamix_options::rise, range_of(&scale_by_ademamix::rise)}};
};

/// Pagliardini et al., arXiv 2409.03137.
///
///     auto opt = optimizer(recipes::ademamix({.rise = 10000}), parameters, {.lr = 1e-3, .weight_decay = 0.1});
constexpr auto ademamix(ademamix_options o = {}) {
  return scale_by_ademamix{.beta1 = o.beta1,
                           .beta2 = o.beta2,
                           .beta3 = o.beta3,
                           .alpha = o.alpha,
                           .epsilon = o.epsilon,
                           .floor = o.floor,
                           .rise = o.rise} |
         apply_update{};
}

}  // namespace thalweg::recipes
