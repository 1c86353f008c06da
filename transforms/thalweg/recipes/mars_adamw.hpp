// mars_adamw: AdamW on gradients whose variance MARS has reduced.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/clip_by_norm.hpp>
#include <thalweg/transforms/mars.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>

namespace thalweg::recipes {

struct mars_adamw_options {
  double gamma = 0.025;
  double beta1 = 0.95;
  double beta2 = 0.99;
  double epsilon = 1e-8;
  double max_norm = 1;
  static constexpr auto fields =
      list{field{"gamma", &mars_adamw_options::gamma, range_of(&mars::gamma)},
           field{"beta1", &mars_adamw_options::beta1, range_of(&mars::beta1)},
           field{"beta2", &mars_adamw_options::beta2, range_of(&scale_by_adam::beta2)},
           field{"epsilon", &mars_adamw_options::epsilon, range_of(&scale_by_adam::epsilon)},
           field{"max_norm", &mars_adamw_options::max_norm, range_of(&clip_by_norm::max_norm)}};
};

/// Yuan et al., arXiv 2411.10438: MARS-AdamW in the approximate form.
///
///     auto opt = optimizer(recipes::mars_adamw(), parameters, {.lr = 3e-3, .weight_decay = 0.01});
constexpr auto mars_adamw(mars_adamw_options o = {}) {
  return mars{.gamma = o.gamma, .beta1 = o.beta1} | clip_by_norm{.max_norm = o.max_norm} |
         scale_by_adam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon} | apply_update{};
}

}  // namespace thalweg::recipes
