// scale_weight_decay: weight decay in proportion to a power of the learning rate.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// λ ← λ·(lr/of)^power. A step decays the parameter by lr·λ.
///
/// | field | default | source                                                                             |
/// |-------|---------|------------------------------------------------------------------------------------|
/// | power | 1       | a decay by lr²·λ; AdamC, with `of` the largest lr: Defazio, arXiv 2506.02285 |
/// | of    | 1       |                                                                                    |
///
/// With `power` = -1 the decay is of·λ at every step, for any learning rate. Contextual: lr is the learning rate after
/// the schedules upstream. If lr is 0, λ becomes 0.
///
///     auto adamc = cosine{.steps = 1000} | scale_weight_decay{.of = 1e-3} | scale_by_adam{} | apply_update{};
struct scale_weight_decay {
  double power = 1;
  double of = 1;
  static constexpr auto fields = list{field{"power", &scale_weight_decay::power, from(-1).to(2)},
                                      field{"of", &scale_weight_decay::of, positive}};

  constexpr context at(context c) const {
    c.weight_decay *= c.lr > 0 ? pow(c.lr / of, power) : 0;
    return c;
  }
};

}  // namespace thalweg
