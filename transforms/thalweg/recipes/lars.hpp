// lars: momentum of gradients, scaled to the norm of the parameter.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/heavyball_momentum.hpp>
#include <thalweg/transforms/scale_by_trust_ratio.hpp>

namespace thalweg::recipes {

/// After You et al., arXiv 1708.03888. The ratio is that of LAMB and optax: trust·‖θ‖ over ‖g + λθ‖. The paper divides
/// by ‖g‖ + λ‖θ‖. Here the learning rate multiplies the output of the momentum. In the paper it multiplies the input.
/// Both are equal while the learning rate is constant.
///
///     auto opt = optimizer(recipes::lars(), parameters, {.lr = 1.0, .weight_decay = 5e-4});
struct lars {
  double momentum = heavyball_momentum{}.beta;
  double trust = 0.001;  ///< the paper's η
  static constexpr auto fields = list{field{"momentum", &lars::momentum, range_of(&heavyball_momentum::beta)},
                                      field{"trust", &lars::trust, range_of(&scale_by_trust_ratio::trust)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return decay_weights{} | scale_by_trust_ratio{.trust = trust} | heavyball_momentum{.beta = momentum} |
           apply_update{};
  }
};

}  // namespace thalweg::recipes
