// prodigy: Adam with a learned learning rate.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_prodigy.hpp>

namespace thalweg::recipes {

/// Mishchenko & Defazio, arXiv 2306.06101; konstmish/prodigy. Use lr = 1, or a schedule from 1 to 0. All fields:
/// `scale_by_prodigy`.
///
///     auto opt = optimizer(recipes::prodigy(), parameters, {.lr = 1, .weight_decay = 0.01});
struct prodigy {
  double beta1 = scale_by_prodigy{}.beta1;
  double beta2 = scale_by_prodigy{}.beta2;
  double epsilon = scale_by_prodigy{}.epsilon;
  double coefficient = scale_by_prodigy{}.coefficient;
  static constexpr auto fields = list{field{"beta1", &prodigy::beta1, range_of(&scale_by_prodigy::beta1)},
                                      field{"beta2", &prodigy::beta2, range_of(&scale_by_prodigy::beta2)},
                                      field{"epsilon", &prodigy::epsilon, range_of(&scale_by_prodigy::epsilon)},
                                      field{"coefficient", &prodigy::coefficient, range_of(&scale_by_prodigy::coefficient)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_prodigy{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .coefficient = coefficient} | apply_update{};
  }
};

}  // namespace thalweg::recipes
