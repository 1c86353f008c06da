// weigh_by_largest_lr: an average that keeps full weights when the learning rate falls.
#pragma once

#include <thalweg/core/average_weights.hpp>
#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// w_t = t^r·(max_{s≤t} lr_s)^p instead of t^r·lr_t^p; c_t = w_t / Σ w
///
/// For the average of Schedule-Free (`update_by_schedule_free`, `update_and_average`). The two weights are equal while
/// lr rises or is constant. They differ after lr has been lowered. The paper (Defazio et al., arXiv 2405.15682) weighs
/// a step by its lr: with a small lr, z changes little, and x too. facebookresearch/schedule_free weighs by the largest
/// lr so far: every later step has full weight, so the early iterates lose weight in x. The paper's weights are the
/// default. Use this transform if lr falls during the training, by a schedule or by hand. Contextual; you may place it
/// anywhere in the chain. As long as lr is 0 from the start, the weight is 0.
///
///     auto c = weigh_by_largest_lr{} | warmup_stable_decay{.warmup_steps = 100, .steps = 10000, .decay_steps = 1000} |
///              scale_by_exp_avg_sq{} | update_by_schedule_free{};
struct weigh_by_largest_lr {
  constexpr context at(context c) const {
    c.say<weighs_largest_lr>(1);
    return c;
  }
};

}  // namespace thalweg
