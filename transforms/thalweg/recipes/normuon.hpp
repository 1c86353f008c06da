// normuon: Muon whose neurons all learn at the same pace, Adam for the rest.
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

struct normuon_options {
  double momentum = 0.95;
  double neuron_beta2 = 0.95;
  double rms = 0.2;
  coefficient_set coefficients = jordan;
  long steps = 5;
  thalweg::precision precision = float32;
  double auxiliary_lr = 1;  ///< of the rest, as a multiple of lr
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-10;
  static constexpr auto fields =
      list{field{"momentum", &normuon_options::momentum, range_of(&nesterov_ema::beta)},
           field{"neuron_beta2", &normuon_options::neuron_beta2, range_of(&scale_by_row_rms::beta2)},
           field{"rms", &normuon_options::rms, range_of(&scale_to_rms::rms)},
           field{"coefficients", &normuon_options::coefficients},
           field{"steps", &normuon_options::steps, range_of(&orthogonalize_update::steps)},
           field{"precision", &normuon_options::precision},
           field{"auxiliary_lr", &normuon_options::auxiliary_lr, range_of(&scale_lr::by)},
           field{"beta1", &normuon_options::beta1, range_of(&scale_by_adam::beta1)},
           field{"beta2", &normuon_options::beta2, range_of(&scale_by_adam::beta2)},
           field{"epsilon", &normuon_options::epsilon, range_of(&scale_by_adam::epsilon)}};
};

/// Li et al., arXiv 2510.05491. Decay is decoupled in both branches.
///
///     auto opt = optimizer(recipes::normuon(), parameters, {.lr = 1e-3, .weight_decay = 0.1});
constexpr auto normuon(normuon_options o = {}) {
  return route(when(hidden_matrix, nesterov_ema{.beta = o.momentum} |
                                       orthogonalize_update{.scale = none{}, .coefficients = o.coefficients,
                                                            .steps = o.steps, .precision = o.precision} |
                                       scale_by_row_rms{.beta2 = o.neuron_beta2} | scale_to_rms{.rms = o.rms}),
               otherwise(scale_lr{.by = o.auxiliary_lr} |
                         scale_by_adam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon})) |
         apply_update{};
}

}  // namespace thalweg::recipes
