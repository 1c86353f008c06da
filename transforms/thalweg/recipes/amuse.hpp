// amuse: Anytime MUon with Stable gradient Evaluation.
#pragma once

#include <optional>

#include <thalweg/core/route.hpp>
#include <thalweg/transforms/amuse_beta.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

/// arXiv 2605.22432: Muon's orthogonalised momentum inside Schedule-Free averaging, Adam's second moment for all other
/// parameters, and a growing β_t that moves the point of the gradients towards the average. Decay acts at z. AMUSE
/// needs a warm-up. The defaults are those of AMUSE's Llama 124M, where β grows from 3/8 of the steps on: set
/// `beta1_steps`. There the warm-up had the same length. In our small language model a warm-up of 1/20 was better
/// (docs/claims.md). `amuse_beta` lists other T₀. The chain of the paper's vision experiments is `amuse_sgd`.
///
///     auto opt = optimizer(recipes::amuse({.beta1_steps = 3 * n / 8}), parameters, {.lr = 0.01, .warmup_steps = n / 20});
struct amuse {
  double momentum = nesterov_ema{}.beta;
  double beta1 = amuse_beta{}.beta1;
  double rho = amuse_beta{}.rho;
  std::optional<long> beta1_steps = amuse_beta{}.beta1_steps;
  scale_rule scale = match_rms{0.2};
  coefficient_set coefficients = orthogonalize_update{}.coefficients;
  long steps = orthogonalize_update{}.steps;
  double matrix_epsilon = orthogonalize_update{}.epsilon;
  thalweg::precision precision = orthogonalize_update{}.precision;
  thalweg::norm norm = orthogonalize_update{}.norm;
  double auxiliary_lr = 1;  ///< lr of all but hidden matrices, as a multiple of lr
  double beta2 = scale_by_exp_avg_sq{}.beta2;
  double epsilon = scale_by_exp_avg_sq{}.epsilon;
  std::optional<double> decay_at_y = update_by_schedule_free{}.decay_at_y;
  static constexpr auto fields = list{field{"momentum", &amuse::momentum, range_of(&nesterov_ema::beta)},
                                      field{"beta1", &amuse::beta1, range_of(&amuse_beta::beta1)},
                                      field{"rho", &amuse::rho, range_of(&amuse_beta::rho)},
                                      field{"beta1_steps", &amuse::beta1_steps, range_of(&amuse_beta::beta1_steps)},
                                      field{"scale", &amuse::scale},
                                      field{"coefficients", &amuse::coefficients},
                                      field{"steps", &amuse::steps, range_of(&orthogonalize_update::steps)},
                                      field{"matrix_epsilon", &amuse::matrix_epsilon, range_of(&orthogonalize_update::epsilon)},
                                      field{"precision", &amuse::precision},
                                      field{"norm", &amuse::norm},
                                      field{"auxiliary_lr", &amuse::auxiliary_lr, range_of(&scale_lr::by)},
                                      field{"beta2", &amuse::beta2, range_of(&scale_by_exp_avg_sq::beta2)},
                                      field{"epsilon", &amuse::epsilon, range_of(&scale_by_exp_avg_sq::epsilon)},
                                      field{"decay_at_y", &amuse::decay_at_y, range_of(&update_by_schedule_free::decay_at_y)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return route(when(hidden_matrix, nesterov_ema{.beta = momentum} |
                                         orthogonalize_update{.scale = scale, .coefficients = coefficients,
                                                              .steps = steps, .epsilon = matrix_epsilon,
                                                              .precision = precision, .norm = norm}),
                 otherwise(scale_lr{.by = auxiliary_lr} | scale_by_exp_avg_sq{.beta2 = beta2, .epsilon = epsilon})) |
           amuse_beta{.beta1 = beta1, .rho = rho, .beta1_steps = beta1_steps} |
           update_by_schedule_free{.decay = decay_point::z, .decay_at_y = decay_at_y};
  }
};

}  // namespace thalweg::recipes
