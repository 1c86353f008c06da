// sf_muon: Muon inside Schedule-Free averaging, with a constant interpolation.
#pragma once

#include <thalweg/core/route.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

struct sf_muon_options {
  double momentum = 0.95;
  double beta = 0.9;
  scale_rule scale = spectral{};
  coefficient_set coefficients = jordan;
  long steps = 5;
  thalweg::precision precision = float32;
  double auxiliary_lr = 1;  ///< of what is not a hidden matrix, as a multiple of lr
  double beta2 = 0.999;
  double epsilon = 1e-10;
  static constexpr auto fields =
      list{field{"momentum", &sf_muon_options::momentum, range_of(&nesterov_ema::beta)},
           field{"beta", &sf_muon_options::beta, range_of(&update_by_schedule_free::beta)},
           field{"scale", &sf_muon_options::scale},
           field{"coefficients", &sf_muon_options::coefficients},
           field{"steps", &sf_muon_options::steps, range_of(&orthogonalize_update::steps)},
           field{"precision", &sf_muon_options::precision},
           field{"auxiliary_lr", &sf_muon_options::auxiliary_lr, range_of(&scale_lr::by)},
           field{"beta2", &sf_muon_options::beta2, range_of(&scale_by_exp_avg_sq::beta2)},
           field{"epsilon", &sf_muon_options::epsilon, range_of(&scale_by_exp_avg_sq::epsilon)}};
};

/// The comparison of AMUSE's paper (arXiv 2605.22432): AMUSE with a β that does not move.
///
///     auto opt = optimizer(recipes::sf_muon(), parameters, {.lr = 0.02, .warmup_steps = 100});
constexpr auto sf_muon(sf_muon_options o = {}) {
  return route(when(hidden_matrix, nesterov_ema{.beta = o.momentum} |
                                       orthogonalize_update{.scale = o.scale, .coefficients = o.coefficients,
                                                            .steps = o.steps, .precision = o.precision}),
               otherwise(scale_lr{.by = o.auxiliary_lr} | scale_by_exp_avg_sq{.beta2 = o.beta2, .epsilon = o.epsilon})) |
         update_by_schedule_free{.beta = o.beta, .decay = decay_point::z};
}

}  // namespace thalweg::recipes
