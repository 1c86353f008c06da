// cautious_adamw: AdamW that takes no step against the gradient.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/cautious.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>

namespace thalweg::recipes {

struct cautious_adamw_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
  double floor = 0;
  caution_rule rule = caution_rule::published;
  static constexpr auto fields =
      list{field{"beta1", &cautious_adamw_options::beta1, range_of(&scale_by_adam::beta1)},
           field{"beta2", &cautious_adamw_options::beta2, range_of(&scale_by_adam::beta2)},
           field{"epsilon", &cautious_adamw_options::epsilon, range_of(&scale_by_adam::epsilon)},
           field{"floor", &cautious_adamw_options::floor, range_of(&scale_by_adam::floor)},
           field{"rule", &cautious_adamw_options::rule}};
};

/// Liang et al., arXiv 2411.16085.
///
///     auto opt = optimizer(recipes::cautious_adamw(), parameters, {.lr = 1e-3, .weight_decay = 0.01});
constexpr auto cautious_adamw(cautious_adamw_options o = {}) {
  return scale_by_adam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon, .floor = o.floor} |
         cautious{.rule = o.rule} | apply_update{};
}

}  // namespace thalweg::recipes
