// mars_adamw: AdamW on gradients whose variance MARS has reduced.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/clip_by_norm.hpp>
#include <thalweg/transforms/mars.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>

namespace thalweg::recipes {

/// Yuan et al., arXiv 2411.10438: MARS-AdamW in the approximate form.
///
///     auto opt = optimizer(recipes::mars_adamw(), parameters, {.lr = 3e-3, .weight_decay = 0.01});
struct mars_adamw {
  double gamma = mars{}.gamma;
  double beta1 = mars{}.beta1;
  double beta2 = 0.99;  ///< the authors' code
  double epsilon = scale_by_adam{}.epsilon;
  double max_norm = clip_by_norm{}.max_norm;
  static constexpr auto fields = list{field{"gamma", &mars_adamw::gamma, range_of(&mars::gamma)},
                                      field{"beta1", &mars_adamw::beta1, range_of(&mars::beta1)},
                                      field{"beta2", &mars_adamw::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &mars_adamw::epsilon, range_of(&scale_by_adam::epsilon)},
                                      field{"max_norm", &mars_adamw::max_norm, range_of(&clip_by_norm::max_norm)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return mars{.gamma = gamma, .beta1 = beta1} | clip_by_norm{.max_norm = max_norm} |
           scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon} | apply_update{};
  }
};

}  // namespace thalweg::recipes
