// weigh_by_largest_lr: an average that goes on when the learning rate is lowered.
#pragma once

#include <thalweg/core/average_weights.hpp>
#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// w_t = t^r·(max_{s≤t} lr_s)^p in the place of t^r·lr_t^p; c_t = w_t / Σ w
///
/// For the average of Schedule-Free (`update_by_schedule_free`, `update_and_average`). The two weights are equal while
/// lr rises or is constant. They differ once lr is lowered. The paper (Defazio et al., arXiv 2405.15682) weighs a step
/// by its lr: a small lr hardly moves z, and counts as little in x. facebookresearch/schedule_free weighs by the
/// largest lr so far: every later step counts fully, so x leaves the early iterates behind. The paper's weights are the
/// default, because a chain computes what its paper says. Take this where lr is lowered during the training, by a
/// schedule or by hand. Contextual; it may stand anywhere in the chain. An lr that is 0 from the start weighs nothing.
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
