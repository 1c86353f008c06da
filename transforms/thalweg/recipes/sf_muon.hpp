// sf_muon: Muon inside Schedule-Free averaging, with a constant β.
#pragma once

#include <thalweg/core/route.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

/// The baseline of AMUSE's paper (arXiv 2605.22432): AMUSE with a constant β.
///
///     auto opt = optimizer(recipes::sf_muon(), parameters, {.lr = 0.02, .warmup_steps = 100});
struct sf_muon {
  double momentum = nesterov_ema{}.beta;
  double beta = update_by_schedule_free{}.beta;
  scale_rule scale = orthogonalize_update{}.scale;
  coefficient_set coefficients = orthogonalize_update{}.coefficients;
  long steps = orthogonalize_update{}.steps;
  double matrix_epsilon = orthogonalize_update{}.epsilon;
  thalweg::precision precision = orthogonalize_update{}.precision;
  thalweg::norm norm = orthogonalize_update{}.norm;
  double auxiliary_lr = 1;  ///< lr of all but hidden matrices, as a multiple of lr
  double beta2 = scale_by_exp_avg_sq{}.beta2;
  double epsilon = scale_by_exp_avg_sq{}.epsilon;
  static constexpr const char* elsewhere[] = {"schedule_free_muon", "muon_schedule_free"};
  static constexpr auto fields = list{field{"momentum", &sf_muon::momentum, range_of(&nesterov_ema::beta)},
                                      field{"beta", &sf_muon::beta, range_of(&update_by_schedule_free::beta)},
                                      field{"scale", &sf_muon::scale},
                                      field{"coefficients", &sf_muon::coefficients},
                                      field{"steps", &sf_muon::steps, range_of(&orthogonalize_update::steps)},
                                      field{"matrix_epsilon", &sf_muon::matrix_epsilon, range_of(&orthogonalize_update::epsilon)},
                                      field{"precision", &sf_muon::precision},
                                      field{"norm", &sf_muon::norm},
                                      field{"auxiliary_lr", &sf_muon::auxiliary_lr, range_of(&scale_lr::by)},
                                      field{"beta2", &sf_muon::beta2, range_of(&scale_by_exp_avg_sq::beta2)},
                                      field{"epsilon", &sf_muon::epsilon, range_of(&scale_by_exp_avg_sq::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return route(when(hidden_matrix, nesterov_ema{.beta = momentum} |
                                         orthogonalize_update{.scale = scale, .coefficients = coefficients,
                                                              .steps = steps, .epsilon = matrix_epsilon,
                                                              .precision = precision, .norm = norm}),
                 otherwise(scale_lr{.by = auxiliary_lr} | scale_by_exp_avg_sq{.beta2 = beta2, .epsilon = epsilon})) |
           update_by_schedule_free{.beta = beta, .decay = decay_point::z};
  }
};

}  // namespace thalweg::recipes
