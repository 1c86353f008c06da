// lars: momentum of gradients as long as the parameters they change.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/heavyball_momentum.hpp>
#include <thalweg/transforms/scale_by_trust_ratio.hpp>

namespace thalweg::recipes {

struct lars_options {
  double momentum = 0.9;
  double trust = 0.001;
  static constexpr auto fields = list{field{"momentum", &lars_options::momentum, range_of(&heavyball_momentum::beta)},
                                      field{"trust", &lars_options::trust, range_of(&scale_by_trust_ratio::trust)}};
};

/// After You et al., arXiv 1708.03888, with the ratio as LAMB and optax have it: trust·‖θ‖ over ‖g + λθ‖, where the
/// paper divides by ‖g‖ + λ‖θ‖. The learning rate multiplies the momentum's result, where the paper multiplies what
/// goes in: the same while it is constant.
///
///     auto opt = optimizer(recipes::lars(), parameters, {.lr = 1.0, .weight_decay = 5e-4});
constexpr auto lars(lars_options o = {}) {
  return decay_weights{} | scale_by_trust_ratio{.trust = o.trust} | heavyball_momentum{.beta = o.momentum} |
         apply_update{};
}

}  // namespace thalweg::recipes
