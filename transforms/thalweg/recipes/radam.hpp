// radam: Adam without a warm-up; the decay is an L2 penalty.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_radam.hpp>

namespace thalweg::recipes {

struct radam_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta1", &radam_options::beta1, range_of(&scale_by_radam::beta1)},
                                      field{"beta2", &radam_options::beta2, range_of(&scale_by_radam::beta2)},
                                      field{"epsilon", &radam_options::epsilon, range_of(&scale_by_radam::epsilon)}};
};

/// Liu et al., arXiv 1908.03265; torch.optim.RAdam.
///
///     auto opt = optimizer(recipes::radam(), parameters, {.lr = 1e-3});
constexpr auto radam(radam_options o = {}) {
  return decay_weights{} | scale_by_radam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon} | apply_update{};
}

}  // namespace thalweg::recipes
