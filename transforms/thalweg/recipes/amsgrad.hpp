// amsgrad: Adam whose denominator never falls, with decoupled weight decay.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/scale_by_amsgrad.hpp>

namespace thalweg::recipes {

struct amsgrad_options {
  double beta1 = 0.9;
  double beta2 = 0.999;
  double epsilon = 1e-8;
};

/// Reddi et al., arXiv 1904.09237; torch.optim.AdamW(amsgrad=True).
///
///     auto opt = optimizer(recipes::amsgrad(), parameters, {.lr = 1e-3, .weight_decay = 0.01});
constexpr auto amsgrad(amsgrad_options o = {}) {
  return scale_by_amsgrad{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon} | apply_update{};
}

}  // namespace thalweg::recipes
