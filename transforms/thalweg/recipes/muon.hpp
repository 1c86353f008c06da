// muon: orthogonalised momentum for hidden matrices, Adam for all other parameters.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/route.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/scale_lr.hpp>

namespace thalweg::recipes {

/// KellerJordan/Muon, with its auxiliary Adam. Decay is decoupled in both branches.
///
///     auto opt = optimizer(recipes::muon(), parameters, {.lr = 0.02, .weight_decay = 0.01});
struct muon {
  double momentum = nesterov_ema{}.beta;
  scale_rule scale = orthogonalize_update{}.scale;
  coefficient_set coefficients = orthogonalize_update{}.coefficients;
  long steps = orthogonalize_update{}.steps;
  double matrix_epsilon = orthogonalize_update{}.epsilon;
  thalweg::precision precision = orthogonalize_update{}.precision;
  thalweg::norm norm = orthogonalize_update{}.norm;
  double auxiliary_lr = 0.015;  ///< lr of all others, as a multiple of lr (Jordan: 3e-4 to 0.02)
  double beta1 = scale_by_adam{}.beta1;
  double beta2 = 0.95;  ///< KellerJordan/Muon
  double epsilon = 1e-10;  ///< the same
  static constexpr auto fields = list{field{"momentum", &muon::momentum, range_of(&nesterov_ema::beta)},
                                      field{"scale", &muon::scale},
                                      field{"coefficients", &muon::coefficients},
                                      field{"steps", &muon::steps, range_of(&orthogonalize_update::steps)},
                                      field{"matrix_epsilon", &muon::matrix_epsilon, range_of(&orthogonalize_update::epsilon)},
                                      field{"precision", &muon::precision},
                                      field{"norm", &muon::norm},
                                      field{"auxiliary_lr", &muon::auxiliary_lr, range_of(&scale_lr::by)},
                                      field{"beta1", &muon::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &muon::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &muon::epsilon, range_of(&scale_by_adam::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return route(when(hidden_matrix, nesterov_ema{.beta = momentum} |
                                         orthogonalize_update{.scale = scale, .coefficients = coefficients,
                                                              .steps = steps, .epsilon = matrix_epsilon,
                                                              .precision = precision, .norm = norm}),
                 otherwise(scale_lr{.by = auxiliary_lr} |
                           scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon})) |
           apply_update{};
  }
};

}  // namespace thalweg::recipes
