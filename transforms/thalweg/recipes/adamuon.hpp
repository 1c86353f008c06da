// adamuon: Muon with a second moment behind it, Adam for the rest.
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

struct adamuon_options {
  double momentum = 0.95;  ///< also the second moment's
  double rms = 0.2;
  coefficient_set coefficients = jordan;
  long steps = 5;
  thalweg::precision precision = float32;
  double auxiliary_lr = 1;  ///< of the rest, as a multiple of lr
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  static constexpr auto fields =
      list{field{"momentum", &adamuon_options::momentum, range_of(&heavyball_momentum::beta)},
           field{"rms", &adamuon_options::rms, range_of(&scale_to_rms::rms)},
           field{"coefficients", &adamuon_options::coefficients},
           field{"steps", &adamuon_options::steps, range_of(&orthogonalize_update::steps)},
           field{"precision", &adamuon_options::precision},
           field{"auxiliary_lr", &adamuon_options::auxiliary_lr, range_of(&scale_lr::by)},
           field{"beta1", &adamuon_options::beta1, range_of(&scale_by_adam::beta1)},
           field{"beta2", &adamuon_options::beta2, range_of(&scale_by_adam::beta2)},
           field{"epsilon", &adamuon_options::epsilon, range_of(&scale_by_rms::epsilon)}};
};

/// Si et al., arXiv 2507.11005: the momentum's signs, orthogonalised, over their own running root mean square.
///
///     auto opt = optimizer(recipes::adamuon(), parameters, {.lr = 6e-4, .weight_decay = 0.1});
constexpr auto adamuon(adamuon_options o = {}) {
  return route(when(hidden_matrix, heavyball_momentum{.beta = o.momentum} | scale_by_sign{} |
                                       orthogonalize_update{.scale = none{}, .coefficients = o.coefficients,
                                                            .steps = o.steps, .precision = o.precision} |
                                       scale_by_rms{.beta = o.momentum, .epsilon = o.epsilon} |
                                       scale_to_rms{.rms = o.rms}),
               otherwise(scale_lr{.by = o.auxiliary_lr} |
                         scale_by_adam{.beta1 = o.beta1, .beta2 = o.beta2, .epsilon = o.epsilon})) |
         apply_update{};
}

}  // namespace thalweg::recipes
