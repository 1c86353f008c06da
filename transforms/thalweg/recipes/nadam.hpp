// nadam: Adam with Nesterov's look ahead; the decay is an L2 penalty.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_nadam.hpp>

namespace thalweg::recipes {

struct nadam_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double momentum_decay = 0.004;
  static constexpr auto fields =
      list{field{"beta1", &nadam_options::beta1, range_of(&scale_by_nadam::beta1)},
           field{"beta2", &nadam_options::beta2, range_of(&scale_by_nadam::beta2)},
           field{"epsilon", &nadam_options::epsilon, range_of(&scale_by_nadam::epsilon)},
           field{"momentum_decay", &nadam_options::momentum_decay, range_of(&scale_by_nadam::momentum_decay)}};
};

/// Dozat, ICLR workshop 2016; torch.optim.NAdam.
///
///     auto opt = optimizer(recipes::nadam(), parameters, {.lr = 2e-3});
constexpr auto nadam(nadam_options o = {}) {
  return decay_weights{} |
         scale_by_nadam{
             .beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon, .momentum_decay = o.momentum_decay} |
         apply_update{};
}

}  // namespace thalweg::recipes
