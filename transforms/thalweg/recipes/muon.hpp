// muon: orthogonalised momentum for the hidden matrices, Adam for the rest.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/route.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/scale_lr.hpp>

namespace thalweg::recipes {

struct muon_options {
  double momentum = 0.95;
  scale_rule scale = spectral{};
  coefficient_set coefficients = jordan;
  long steps = 5;
  thalweg::precision precision = float32;
  double auxiliary_lr = 0.015;  ///< of the rest, as a multiple of lr (Jordan: 3e-4 to 0.02)
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-10;
  static constexpr auto fields = list{field{"momentum", &muon_options::momentum, range_of(&nesterov_ema::beta)},
                                      field{"scale", &muon_options::scale},
                                      field{"coefficients", &muon_options::coefficients},
                                      field{"steps", &muon_options::steps, range_of(&orthogonalize_update::steps)},
                                      field{"precision", &muon_options::precision},
                                      field{"auxiliary_lr", &muon_options::auxiliary_lr, range_of(&scale_lr::by)},
                                      field{"beta1", &muon_options::beta1, range_of(&scale_by_adam::beta1)},
                                      field{"beta2", &muon_options::beta2, range_of(&scale_by_adam::beta2)},
                                      field{"epsilon", &muon_options::epsilon, range_of(&scale_by_adam::epsilon)}};
};

/// KellerJordan/Muon, with its auxiliary Adam. Decay is decoupled in both branches.
///
///     auto opt = optimizer(recipes::muon(), parameters, {.lr = 0.02, .weight_decay = 0.01});
constexpr auto muon(muon_options o = {}) {
  return route(when(hidden_matrix, nesterov_ema{.beta = o.momentum} |
                                       orthogonalize_update{.scale = o.scale, .coefficients = o.coefficients,
                                                            .steps = o.steps, .precision = o.precision}),
               otherwise(scale_lr{.by = o.auxiliary_lr} |
                         scale_by_adam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon})) |
         apply_update{};
}

}  // namespace thalweg::recipes
