// cautious_adamw: AdamW that takes no step against the gradient.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/cautious.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>

namespace thalweg::recipes {

/// Liang et al., arXiv 2411.16085.
///
///     auto opt = optimizer(recipes::cautious_adamw(), parameters, {.lr = 1e-3, .weight_decay = 0.01});
struct cautious_adamw {
  double beta1 = scale_by_adam{}.beta1;
  double beta2 = scale_by_adam{}.beta2;
  double epsilon = scale_by_adam{}.epsilon;
  double floor = scale_by_adam{}.floor;
  caution_rule rule = cautious{}.rule;
  static constexpr auto fields = list{field{"beta1", &cautious_adamw::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &cautious_adamw::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &cautious_adamw::epsilon, range_of(&scale_by_adam::epsilon)},
                                      field{"floor", &cautious_adamw::floor, range_of(&scale_by_adam::floor)},
                                      field{"rule", &cautious_adamw::rule}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .floor = floor} |
           cautious{.rule = rule} | apply_update{};
  }
};

}  // namespace thalweg::recipes
