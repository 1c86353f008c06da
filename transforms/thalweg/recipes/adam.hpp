// adam: Adam as it was published; the decay is an L2 penalty.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>

namespace thalweg::recipes {

/// Kingma & Ba, arXiv 1412.6980; torch.optim.Adam.
///
///     auto opt = optimizer(recipes::adam(), parameters, {.lr = 1e-3});
struct adam {
  double beta1 = scale_by_adam{}.beta1;
  double beta2 = scale_by_adam{}.beta2;
  double epsilon = scale_by_adam{}.epsilon;
  static constexpr auto fields = list{field{"beta1", &adam::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &adam::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &adam::epsilon, range_of(&scale_by_adam::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return decay_weights{} | scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon} | apply_update{};
  }
};

}  // namespace thalweg::recipes
