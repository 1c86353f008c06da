// radam: Adam without a warm-up; the decay is an L2 penalty.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_radam.hpp>

namespace thalweg::recipes {

/// Liu et al., arXiv 1908.03265; torch.optim.RAdam.
///
///     auto opt = optimizer(recipes::radam(), parameters, {.lr = 1e-3});
struct radam {
  double beta1 = scale_by_radam{}.beta1;
  double beta2 = scale_by_radam{}.beta2;
  double epsilon = scale_by_radam{}.epsilon;
  static constexpr auto fields = list{field{"beta1", &radam::beta1, range_of(&scale_by_radam::beta1)},
                                      field{"beta2", &radam::beta2, range_of(&scale_by_radam::beta2)},
                                      field{"epsilon", &radam::epsilon, range_of(&scale_by_radam::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return decay_weights{} | scale_by_radam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon} | apply_update{};
  }
};

}  // namespace thalweg::recipes
