// Every transform that a run-time chain may name, each once: compiled for each instruction set in passes.cpp, and
// spoken of in vocabulary.cpp. What is made of others (parallel, scheduled, join, …) is in combinators.cpp.
#pragma once

#include <thalweg/transforms.hpp>

namespace thalweg::runtime::detail {

template <class... Types>
struct type_list {};

using all_transforms = type_list<
    accumulate, add_noise, amuse_beta, apply_update, cautious, cautious_decay, centralize_gradient, clip_adaptively,
    clip_by_global_norm, clip_by_norm, clip_by_rms, clip_by_value, cosine, cosine_restarts, decay_weights, ema,
    equalize_rows, freeze, heavyball_momentum, inverse_sqrt, linear, mars, nesterov_ema, nesterov_momentum,
    orthogonalize_update, rectify_lr, reduce_on_plateau, scale, scale_by_adam, scale_by_adan, scale_by_ademamix,
    scale_by_adopt, scale_by_amsgrad, scale_by_exp_avg_sq, scale_by_factored_rms, scale_by_laprop, scale_by_lion,
    scale_by_nadam, scale_by_parameter_rms, scale_by_polyak, scale_by_psgd_kron, scale_by_radam, scale_by_rms,
    scale_by_row_rms, scale_by_rss, scale_by_shampoo, scale_by_sign, scale_by_soap, scale_by_trust_ratio,
    scale_lr, scale_to_rms, update_and_average, update_by_lookahead, update_by_primal_averaging, update_by_schedule_free, update_on_sphere, warmup,
    warmup_stable_decay, when_finite>;

}  // namespace thalweg::runtime::detail
