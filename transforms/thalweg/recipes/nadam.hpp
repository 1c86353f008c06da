// nadam: Adam with Nesterov's look ahead; the decay is an L2 penalty.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_nadam.hpp>

namespace thalweg::recipes {

/// Dozat, ICLR workshop 2016; torch.optim.NAdam.
///
///     auto opt = optimizer(recipes::nadam(), parameters, {.lr = 2e-3});
struct nadam {
  double beta1 = scale_by_nadam{}.beta1;
  double beta2 = scale_by_nadam{}.beta2;
  double epsilon = scale_by_nadam{}.epsilon;
  double momentum_decay = scale_by_nadam{}.momentum_decay;
  static constexpr auto fields =
      list{field{"beta1", &nadam::beta1, range_of(&scale_by_nadam::beta1)},
           field{"beta2", &nadam::beta2, range_of(&scale_by_nadam::beta2)},
           field{"epsilon", &nadam::epsilon, range_of(&scale_by_nadam::epsilon)},
           field{"momentum_decay", &nadam::momentum_decay, range_of(&scale_by_nadam::momentum_decay)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return decay_weights{} |
           scale_by_nadam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .momentum_decay = momentum_decay} |
           apply_update{};
  }
};

}  // namespace thalweg::recipes
