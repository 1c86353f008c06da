// normuon: Muon with updates of equal RMS for all neurons; Adam for all other parameters.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/route.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/scale_by_row_rms.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/scale_to_rms.hpp>

namespace thalweg::recipes {

/// Li et al., arXiv 2510.05491. Decay is decoupled in both branches.
///
///     auto opt = optimizer(recipes::normuon(), parameters, {.lr = 1e-3, .weight_decay = 0.1});
struct normuon {
  double momentum = nesterov_ema{}.beta;
  double neuron_beta2 = scale_by_row_rms{}.beta2;
  double rms = scale_to_rms{}.rms;
  coefficient_set coefficients = orthogonalize_update{}.coefficients;
  long steps = orthogonalize_update{}.steps;
  double matrix_epsilon = orthogonalize_update{}.epsilon;
  thalweg::precision precision = orthogonalize_update{}.precision;
  thalweg::norm norm = orthogonalize_update{}.norm;
  double auxiliary_lr = 1;  ///< lr of all other parameters, as a multiple of lr
  double beta1 = scale_by_adam{}.beta1;
  double beta2 = 0.95;  ///< KellerJordan/Muon
  double epsilon = 1e-10;  ///< the same
  static constexpr auto fields = list{field{"momentum", &normuon::momentum, range_of(&nesterov_ema::beta)},
                                      field{"neuron_beta2", &normuon::neuron_beta2, range_of(&scale_by_row_rms::beta2)},
                                      field{"rms", &normuon::rms, range_of(&scale_to_rms::rms)},
                                      field{"coefficients", &normuon::coefficients},
                                      field{"steps", &normuon::steps, range_of(&orthogonalize_update::steps)},
                                      field{"matrix_epsilon", &normuon::matrix_epsilon, range_of(&orthogonalize_update::epsilon)},
                                      field{"precision", &normuon::precision},
                                      field{"norm", &normuon::norm},
                                      field{"auxiliary_lr", &normuon::auxiliary_lr, range_of(&scale_lr::by)},
                                      field{"beta1", &normuon::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &normuon::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &normuon::epsilon, range_of(&scale_by_adam::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return route(when(hidden_matrix, nesterov_ema{.beta = momentum} |
                                         orthogonalize_update{.scale = none{}, .coefficients = coefficients,
                                                              .steps = steps, .epsilon = matrix_epsilon,
                                                              .precision = precision, .norm = norm} |
                                         scale_by_row_rms{.beta2 = neuron_beta2} | scale_to_rms{.rms = rms}),
                 otherwise(scale_lr{.by = auxiliary_lr} |
                           scale_by_adam{.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon})) |
           apply_update{};
  }
};

}  // namespace thalweg::recipes
