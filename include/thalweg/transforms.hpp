// Every transform, and the functions that make chains and routes.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/route.hpp>
#include <thalweg/core/type_list.hpp>

#include <thalweg/transforms/accumulate.hpp>
#include <thalweg/transforms/add_noise.hpp>
#include <thalweg/transforms/amuse_beta.hpp>
#include <thalweg/transforms/anneal_beta.hpp>
#include <thalweg/transforms/average_from.hpp>
#include <thalweg/transforms/cautious.hpp>
#include <thalweg/transforms/cautious_decay.hpp>
#include <thalweg/transforms/centralize_gradient.hpp>
#include <thalweg/transforms/clip_adaptively.hpp>
#include <thalweg/transforms/clip_by_global_norm.hpp>
#include <thalweg/transforms/clip_by_norm.hpp>
#include <thalweg/transforms/clip_by_rms.hpp>
#include <thalweg/transforms/clip_by_value.hpp>
#include <thalweg/transforms/cosine.hpp>
#include <thalweg/transforms/cosine_restarts.hpp>
#include <thalweg/transforms/decay_towards_anchor.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/decorrelate_rows.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/equalize_rows.hpp>
#include <thalweg/transforms/exponential.hpp>
#include <thalweg/transforms/freeze.hpp>
#include <thalweg/transforms/heavyball_momentum.hpp>
#include <thalweg/transforms/in_row_blocks.hpp>
#include <thalweg/transforms/inverse_sqrt.hpp>
#include <thalweg/transforms/join.hpp>
#include <thalweg/transforms/linear.hpp>
#include <thalweg/transforms/mars.hpp>
#include <thalweg/transforms/nesterov_ema.hpp>
#include <thalweg/transforms/nesterov_momentum.hpp>
#include <thalweg/transforms/one_cycle.hpp>
#include <thalweg/transforms/optimistic_gradient.hpp>
#include <thalweg/transforms/orthogonal_to_parameter.hpp>
#include <thalweg/transforms/orthogonalize_directions.hpp>
#include <thalweg/transforms/orthogonalize_low_rank.hpp>
#include <thalweg/transforms/orthogonalize_rows.hpp>
#include <thalweg/transforms/orthogonalize_update.hpp>
#include <thalweg/transforms/parallel.hpp>
#include <thalweg/transforms/piecewise.hpp>
#include <thalweg/transforms/reciprocal.hpp>
#include <thalweg/transforms/rectify_lr.hpp>
#include <thalweg/transforms/reduce_on_plateau.hpp>
#include <thalweg/transforms/report_gradient_norm.hpp>
#include <thalweg/transforms/scale.hpp>
#include <thalweg/transforms/scale_by_adadelta.hpp>
#include <thalweg/transforms/scale_by_adam.hpp>
#include <thalweg/transforms/scale_by_adamax.hpp>
#include <thalweg/transforms/scale_by_adan.hpp>
#include <thalweg/transforms/scale_by_ademamix.hpp>
#include <thalweg/transforms/scale_by_adopt.hpp>
#include <thalweg/transforms/scale_by_amsgrad.hpp>
#include <thalweg/transforms/scale_by_belief.hpp>
#include <thalweg/transforms/scale_by_deviation.hpp>
#include <thalweg/transforms/scale_by_dog.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/scale_by_factored_rms.hpp>
#include <thalweg/transforms/scale_by_fan_in.hpp>
#include <thalweg/transforms/scale_by_kl_shampoo.hpp>
#include <thalweg/transforms/scale_by_laprop.hpp>
#include <thalweg/transforms/scale_by_layer_dog.hpp>
#include <thalweg/transforms/scale_by_layer_norm.hpp>
#include <thalweg/transforms/scale_by_lion.hpp>
#include <thalweg/transforms/scale_by_momo.hpp>
#include <thalweg/transforms/scale_by_momo_adam.hpp>
#include <thalweg/transforms/scale_by_nadam.hpp>
#include <thalweg/transforms/scale_by_parameter_rms.hpp>
#include <thalweg/transforms/scale_by_polyak.hpp>
#include <thalweg/transforms/scale_by_prodigy.hpp>
#include <thalweg/transforms/scale_by_psgd_kron.hpp>
#include <thalweg/transforms/scale_by_psgd_lra.hpp>
#include <thalweg/transforms/scale_by_radam.hpp>
#include <thalweg/transforms/scale_by_rms.hpp>
#include <thalweg/transforms/scale_by_row_rms.hpp>
#include <thalweg/transforms/scale_by_rprop.hpp>
#include <thalweg/transforms/scale_by_rss.hpp>
#include <thalweg/transforms/scale_by_shampoo.hpp>
#include <thalweg/transforms/scale_by_sign.hpp>
#include <thalweg/transforms/scale_by_sm3.hpp>
#include <thalweg/transforms/scale_by_soap.hpp>
#include <thalweg/transforms/scale_by_trust_ratio.hpp>
#include <thalweg/transforms/scale_by_yogi.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/scale_to_rms.hpp>
#include <thalweg/transforms/scale_weight_decay.hpp>
#include <thalweg/transforms/schedule_weight_decay.hpp>
#include <thalweg/transforms/scheduled.hpp>
#include <thalweg/transforms/skip_large_updates.hpp>
#include <thalweg/transforms/stored.hpp>
#include <thalweg/transforms/step_on_sphere.hpp>
#include <thalweg/transforms/tap.hpp>
#include <thalweg/transforms/tensorwise.hpp>
#include <thalweg/transforms/update_and_average.hpp>
#include <thalweg/transforms/update_by_lookahead.hpp>
#include <thalweg/transforms/update_by_mechanic.hpp>
#include <thalweg/transforms/update_by_primal_averaging.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>
#include <thalweg/transforms/update_by_schedule_free_polyak.hpp>
#include <thalweg/transforms/update_on_sphere.hpp>
#include <thalweg/transforms/warmup.hpp>
#include <thalweg/transforms/warmup_stable_decay.hpp>
#include <thalweg/transforms/weigh_by_largest_lr.hpp>
#include <thalweg/transforms/when_finite.hpp>

namespace thalweg {

/// Each transform once, by name, except those made of others or of a user's function (parallel, scheduled, stored, tap, …).
using all_transforms = type_list<
    accumulate, add_noise, amuse_beta, anneal_beta, apply_update, average_from, cautious, cautious_decay,
    centralize_gradient, clip_adaptively, clip_by_global_norm, clip_by_norm, clip_by_rms, clip_by_value, cosine,
    cosine_restarts, decay_towards_anchor, decay_weights, decorrelate_rows, ema, equalize_rows, exponential, freeze,
    heavyball_momentum, inverse_sqrt, linear, mars, nesterov_ema, nesterov_momentum, one_cycle, optimistic_gradient,
    orthogonal_to_parameter, orthogonalize_directions, orthogonalize_low_rank, orthogonalize_rows,
    orthogonalize_update, reciprocal, rectify_lr, reduce_on_plateau, report_gradient_norm, scale, scale_by_adadelta,
    scale_by_adam, scale_by_adamax, scale_by_adan, scale_by_ademamix, scale_by_adopt, scale_by_amsgrad,
    scale_by_belief, scale_by_deviation, scale_by_dog, scale_by_exp_avg_sq, scale_by_factored_rms, scale_by_fan_in,
    scale_by_kl_shampoo, scale_by_laprop, scale_by_layer_dog, scale_by_layer_norm, scale_by_lion, scale_by_momo,
    scale_by_momo_adam, scale_by_nadam, scale_by_parameter_rms, scale_by_polyak, scale_by_prodigy,
    scale_by_psgd_kron, scale_by_psgd_lra, scale_by_radam, scale_by_rms, scale_by_row_rms, scale_by_rprop,
    scale_by_rss, scale_by_shampoo, scale_by_sign, scale_by_sm3, scale_by_soap, scale_by_trust_ratio, scale_by_yogi,
    scale_lr, scale_to_rms, scale_weight_decay, skip_large_updates, step_on_sphere, update_and_average,
    update_by_lookahead, update_by_mechanic, update_by_primal_averaging, update_by_schedule_free,
    update_by_schedule_free_polyak, update_on_sphere, warmup, warmup_stable_decay, weigh_by_largest_lr, when_finite>;

}  // namespace thalweg
