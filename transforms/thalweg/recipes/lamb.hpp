// lamb: Adam's steps, scaled to the norm of the parameter.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/scale_by_trust_ratio.hpp>

namespace thalweg::recipes {

/// You et al., arXiv 1904.00962.
///
///     auto opt = optimizer(recipes::lamb(), parameters, {.lr = 1e-3, .weight_decay = 0.01});
struct lamb {
  double beta1 = scale_by_adam{}.beta1;
  double beta2 = scale_by_adam{}.beta2;
  double epsilon = 1e-6;  ///< the authors' code
  static constexpr auto fields = list{field{"beta1", &lamb::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &lamb::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &lamb::epsilon, range_of(&scale_by_adam::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon} | decay_weights{} |
           scale_by_trust_ratio{} | apply_update{};
  }
};

}  // namespace thalweg::recipes
