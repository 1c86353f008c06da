// amuse: Anytime MUon with Stable gradient Evaluation.
#pragma once

#include <thalweg/core/route.hpp>
#include <thalweg/transforms/amuse_beta.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

/// Defaults: AMUSE's Llama 124M. With lr 0.01, weight decay 0.05 and the warm-up over 3/8 of the steps.
struct amuse_options {
  double momentum = 0.95;
  double beta1 = 0.6;
  double rho = 0.8;
  scale_rule scale = match_rms{0.2};
  coefficient_set coefficients = jordan;
  long steps = 5;
  thalweg::precision precision = float32;
  double auxiliary_lr = 1;  ///< of what is not a hidden matrix, as a multiple of lr
  double beta2 = 0.999;
  double epsilon = 1e-10;
  static constexpr auto fields =
      list{field{"momentum", &amuse_options::momentum, range_of(&nesterov_ema::beta)},
           field{"beta1", &amuse_options::beta1, range_of(&amuse_beta::beta1)},
           field{"rho", &amuse_options::rho, range_of(&amuse_beta::rho)},
           field{"scale", &amuse_options::scale},
           field{"coefficients", &amuse_options::coefficients},
           field{"steps", &amuse_options::steps, range_of(&orthogonalize_update::steps)},
           field{"precision", &amuse_options::precision},
           field{"auxiliary_lr", &amuse_options::auxiliary_lr, range_of(&scale_lr::by)},
           field{"beta2", &amuse_options::beta2, range_of(&scale_by_exp_avg_sq::beta2)},
           field{"epsilon", &amuse_options::epsilon, range_of(&scale_by_exp_avg_sq::epsilon)}};
};

/// arXiv 2605.22432: Muon's orthogonalised momentum inside Schedule-Free averaging, Adam's second moment for the rest,
/// and an interpolation β_t that moves the gradients' point towards the average. Decay at z; it needs a warm-up.
///
///     auto opt = optimizer(recipes::amuse(), parameters, {.lr = 0.01, .weight_decay = 0.05, .warmup_steps = 100});
constexpr auto amuse(amuse_options o = {}) {
  return route(when(hidden_matrix, nesterov_ema{.beta = o.momentum} |
                                       orthogonalize_update{.scale = o.scale, .coefficients = o.coefficients,
                                                            .steps = o.steps, .precision = o.precision}),
               otherwise(scale_lr{.by = o.auxiliary_lr} | scale_by_exp_avg_sq{.beta2 = o.beta2, .epsilon = o.epsilon})) |
         amuse_beta{.beta1 = o.beta1, .rho = o.rho} | update_by_schedule_free{.decay = decay_point::z};
}

}  // namespace thalweg::recipes
