// adamuon: Muon followed by a second moment; Adam for all other parameters.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/route.hpp>
#include <thalweg/transforms/heavyball_momentum.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/scale_by_rms.hpp>
#include <thalweg/transforms/scale_by_sign.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/scale_to_rms.hpp>

namespace thalweg::recipes {

/// Si et al., arXiv 2507.11005: the signs of the momentum, orthogonalised, divided by their running root mean square.
///
///     auto opt = optimizer(recipes::adamuon(), parameters, {.lr = 6e-4, .weight_decay = 0.1});
struct adamuon {
  double momentum = 0.95;  ///< β of Muon and of the second moment
  double rms = scale_to_rms{}.rms;
  coefficient_set coefficients = orthogonalize_update{}.coefficients;
  long steps = orthogonalize_update{}.steps;
  double matrix_epsilon = orthogonalize_update{}.epsilon;
  thalweg::precision precision = orthogonalize_update{}.precision;
  thalweg::norm norm = orthogonalize_update{}.norm;
  double auxiliary_lr = 1;  ///< lr of all other parameters, as a multiple of lr
  double beta1 = scale_by_adam{}.beta1;
  double beta2 = 0.95;  ///< KellerJordan/Muon
  double epsilon = scale_by_rms{}.epsilon;
  static constexpr auto fields = list{field{"momentum", &adamuon::momentum, range_of(&heavyball_momentum::beta)},
                                      field{"rms", &adamuon::rms, range_of(&scale_to_rms::rms)},
                                      field{"coefficients", &adamuon::coefficients},
                                      field{"steps", &adamuon::steps, range_of(&orthogonalize_update::steps)},
                                      field{"matrix_epsilon", &adamuon::matrix_epsilon, range_of(&orthogonalize_update::epsilon)},
                                      field{"precision", &adamuon::precision},
                                      field{"norm", &adamuon::norm},
                                      field{"auxiliary_lr", &adamuon::auxiliary_lr, range_of(&scale_lr::by)},
                                      field{"beta1", &adamuon::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &adamuon::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &adamuon::epsilon, range_of(&scale_by_rms::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return route(when(hidden_matrix, heavyball_momentum{.beta = momentum} | scale_by_sign{} |
                                         orthogonalize_update{.scale = none{}, .coefficients = coefficients,
                                                              .steps = steps, .epsilon = matrix_epsilon,
                                                              .precision = precision, .norm = norm} |
                                         scale_by_rms{.beta = momentum, .epsilon = epsilon} |
                                         scale_to_rms{.rms = rms}),
                 otherwise(scale_lr{.by = auxiliary_lr} |
                           scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon})) |
           apply_update{};
  }
};

}  // namespace thalweg::recipes
