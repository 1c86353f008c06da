// scion: each kind of parameter takes the longest step in a ball of a norm of its own.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/route.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/equalize_rows.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/scale.hpp>
#include <thalweg/transforms/scale_by_fan_in.hpp>
#include <thalweg/transforms/scale_by_sign.hpp>
#include <thalweg/transforms/scale_to_rms.hpp>

namespace thalweg::recipes {

/// Pethick et al., arXiv 2502.07529: hidden matrices get radius·√(m/n)·UVᵀ, rows of embeddings and vectors a root mean square of
/// radius, the head radius/n·sign. `weight_decay` = 1 gives the constrained Scion (the method of Frank and Wolfe). If lr <= 1 and
/// the parameters begin in the balls of these radii, they stay there, as exactly as Newton–Schulz makes singular values 1. With
/// another λ the balls are 1/λ as large. `weight_decay` = 0 gives the unconstrained Scion. The authors add 1e-8 to the root
/// mean square that they divide by; here the step of a row has the full length however small its momentum is. Filters are
/// viewed as (first, rest); the authors divide their steps also by the side of a filter.
///
///     auto opt = optimizer(recipes::scion(), parameters, {.lr = 2.4e-4, .weight_decay = 1});
struct scion {
  double momentum = ema{}.beta;       ///< the authors' `momentum` is 1 less this
  double hidden_radius = 50;          ///< the authors' nanoGPT
  double head_radius = 3000;          ///< the same
  double embedding_radius = 50;       ///< ours: as hidden matrices
  double vector_radius = 50;          ///< as hidden matrices
  coefficient_set coefficients = orthogonalize_update{}.coefficients;
  long steps = orthogonalize_update{}.steps;
  double matrix_epsilon = orthogonalize_update{}.epsilon;
  thalweg::precision precision = orthogonalize_update{}.precision;
  thalweg::norm norm = orthogonalize_update{}.norm;
  static constexpr auto fields = list{field{"momentum", &scion::momentum, range_of(&ema::beta)},
                                      field{"hidden_radius", &scion::hidden_radius, positive},
                                      field{"head_radius", &scion::head_radius, positive},
                                      field{"embedding_radius", &scion::embedding_radius, range_of(&equalize_rows::rms)},
                                      field{"vector_radius", &scion::vector_radius, range_of(&scale_to_rms::rms)},
                                      field{"coefficients", &scion::coefficients},
                                      field{"steps", &scion::steps, range_of(&orthogonalize_update::steps)},
                                      field{"matrix_epsilon", &scion::matrix_epsilon, range_of(&orthogonalize_update::epsilon)},
                                      field{"precision", &scion::precision},
                                      field{"norm", &scion::norm}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return ema{.beta = momentum} |
           route(when(is_vector, scale_to_rms{.rms = vector_radius}),
                 when(is_embedding, equalize_rows{.rms = embedding_radius}),
                 when(is_head, scale_by_sign{} | scale_by_fan_in{.power = -1} | scale{.by = head_radius}),
                 when(hidden_matrix, orthogonalize_update{.scale = unit_rms_norm{}, .coefficients = coefficients,
                                                          .steps = steps, .epsilon = matrix_epsilon,
                                                          .precision = precision, .norm = norm} |
                                         scale{.by = hidden_radius})) |
           apply_update{};
  }
};

}  // namespace thalweg::recipes
