// amuse_sgd: AMUSE with the plain gradient for all but hidden matrices.
#pragma once

#include <optional>

#include <thalweg/core/route.hpp>
#include <thalweg/transforms/amuse_beta.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

/// The chain of the vision experiments of AMUSE's paper, arXiv 2605.22432. Hidden matrices and filters are scaled by
/// √max(1, rows/cols). All other parameters use the plain gradient. The defaults are those of CIFAR-10, with lr 0.2,
/// weight decay 0.02 and a warm-up over 1/20 of the steps.
///
///     auto opt = optimizer(recipes::amuse_sgd(), parameters, {.lr = 0.2, .weight_decay = 0.02, .warmup_steps = steps / 20});
struct amuse_sgd {
  double momentum = nesterov_ema{}.beta;
  double beta1 = 0.8;  ///< CIFAR-10
  double rho = 0.3;    ///< the same
  std::optional<long> beta1_steps = amuse_beta{}.beta1_steps;
  scale_rule scale = spectral{};
  coefficient_set coefficients = orthogonalize_update{}.coefficients;
  long steps = orthogonalize_update{}.steps;
  double matrix_epsilon = orthogonalize_update{}.epsilon;
  thalweg::precision precision = orthogonalize_update{}.precision;
  thalweg::norm norm = orthogonalize_update{}.norm;
  double auxiliary_lr = 1;  ///< lr of all but hidden matrices, as a multiple of lr
  std::optional<double> decay_at_y = update_by_schedule_free{}.decay_at_y;
  static constexpr auto fields =
      list{field{"momentum", &amuse_sgd::momentum, range_of(&nesterov_ema::beta)},
           field{"beta1", &amuse_sgd::beta1, range_of(&amuse_beta::beta1)},
           field{"rho", &amuse_sgd::rho, range_of(&amuse_beta::rho)},
           field{"beta1_steps", &amuse_sgd::beta1_steps, range_of(&amuse_beta::beta1_steps)},
           field{"scale", &amuse_sgd::scale},
           field{"coefficients", &amuse_sgd::coefficients},
           field{"steps", &amuse_sgd::steps, range_of(&orthogonalize_update::steps)},
           field{"matrix_epsilon", &amuse_sgd::matrix_epsilon, range_of(&orthogonalize_update::epsilon)},
           field{"precision", &amuse_sgd::precision},
           field{"norm", &amuse_sgd::norm},
           field{"auxiliary_lr", &amuse_sgd::auxiliary_lr, range_of(&scale_lr::by)},
           field{"decay_at_y", &amuse_sgd::decay_at_y, range_of(&update_by_schedule_free::decay_at_y)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return route(when(hidden_matrix, nesterov_ema{.beta = momentum} |
                                         orthogonalize_update{.scale = scale, .coefficients = coefficients,
                                                              .steps = steps, .epsilon = matrix_epsilon,
                                                              .precision = precision, .norm = norm}),
                 otherwise(scale_lr{.by = auxiliary_lr})) |
           amuse_beta{.beta1 = beta1, .rho = rho, .beta1_steps = beta1_steps} |
           update_by_schedule_free{.decay = decay_point::z, .decay_at_y = decay_at_y};
  }
};

}  // namespace thalweg::recipes
