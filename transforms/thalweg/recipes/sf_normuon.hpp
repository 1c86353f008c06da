// sf_normuon: NorMuon inside Schedule-Free averaging.
#pragma once

#include <thalweg/core/route.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/scale_by_row_rms.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/scale_to_rms.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

namespace thalweg::recipes {

/// SF-NorMuon, Apte et al., arXiv 2605.23061, algorithm 1; decay at z. All but hidden matrices: Schedule-Free AdamW.
///
///     auto opt = optimizer(recipes::sf_normuon(), parameters, {.lr = 0.02, .weight_decay = 0.1, .warmup_steps = 100});
struct sf_normuon {
  double momentum = 0.8;  ///< the paper's μ
  double beta = update_by_schedule_free{}.beta;
  double neuron_beta2 = scale_by_row_rms{}.beta2;
  double rms = scale_to_rms{}.rms;
  coefficient_set coefficients = orthogonalize_update{}.coefficients;
  long steps = orthogonalize_update{}.steps;
  double matrix_epsilon = orthogonalize_update{}.epsilon;
  thalweg::precision precision = orthogonalize_update{}.precision;
  thalweg::norm norm = orthogonalize_update{}.norm;
  double auxiliary_lr = 1;  ///< lr of all other parameters, as a multiple of lr
  double beta2 = scale_by_exp_avg_sq{}.beta2;
  double epsilon = scale_by_exp_avg_sq{}.epsilon;
  static constexpr auto fields =
      list{field{"momentum", &sf_normuon::momentum, range_of(&ema::beta)},
           field{"beta", &sf_normuon::beta, range_of(&update_by_schedule_free::beta)},
           field{"neuron_beta2", &sf_normuon::neuron_beta2, range_of(&scale_by_row_rms::beta2)},
           field{"rms", &sf_normuon::rms, range_of(&scale_to_rms::rms)},
           field{"coefficients", &sf_normuon::coefficients},
           field{"steps", &sf_normuon::steps, range_of(&orthogonalize_update::steps)},
           field{"matrix_epsilon", &sf_normuon::matrix_epsilon, range_of(&orthogonalize_update::epsilon)},
           field{"precision", &sf_normuon::precision},
           field{"norm", &sf_normuon::norm},
           field{"auxiliary_lr", &sf_normuon::auxiliary_lr, range_of(&scale_lr::by)},
           field{"beta2", &sf_normuon::beta2, range_of(&scale_by_exp_avg_sq::beta2)},
           field{"epsilon", &sf_normuon::epsilon, range_of(&scale_by_exp_avg_sq::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return route(when(hidden_matrix, ema{.beta = momentum} |
                                         orthogonalize_update{.scale = none{}, .coefficients = coefficients,
                                                              .steps = steps, .epsilon = matrix_epsilon,
                                                              .precision = precision, .norm = norm} |
                                         scale_by_row_rms{.beta2 = neuron_beta2} | scale_to_rms{.rms = rms}),
                 otherwise(scale_lr{.by = auxiliary_lr} | scale_by_exp_avg_sq{.beta2 = beta2, .epsilon = epsilon})) |
           update_by_schedule_free{.beta = beta, .decay = decay_point::z};
  }
};

}  // namespace thalweg::recipes
