// QK-clip: what holds the logits of attention below a threshold, between two steps.
//
//     const auto by = qk_clip(largest_logits);  // one a head, of the steps since the last call
//     opt.scale_rows("q", by);
//     opt.scale_rows("k", by);
#pragma once

#include <cmath>
#include <cstddef>
#include <span>
#include <vector>

#include <thalweg/core/error.hpp>
#include <thalweg/core/field.hpp>

namespace thalweg {

/// | field     | default | source                                                                                  |
/// |-----------|---------|-----------------------------------------------------------------------------------------|
/// | threshold | 100     | τ; QK-clip, of Kimi K2's MuonClip, arXiv 2507.20534                                     |
/// | share     | 0.5     | the same: what a side takes of the factor, its exponent                                  |
///
/// If a head has keys of its own, queries and keys take half of the factor each. If several heads share keys, do not scale the keys,
/// and scale the queries by the whole factor: `share` = 1. K2 does this for the part with rotary positions, whose keys are
/// shared. So only the heads with too large logits change.
struct qk_clip_options {
  double threshold = 100;
  double share = 0.5;
  static constexpr auto fields = list{field{"threshold", &qk_clip_options::threshold, positive},
                                      field{"share", &qk_clip_options::share, from(0).to(1)}};
};

/// (τ/max(τ, S))^share for the largest logit S of each head: the factors of its rows, for `optimizer::scale_rows`. Throws where a
/// logit is not finite.
inline std::vector<double> qk_clip(std::span<const double> largest_logits, const qk_clip_options& o = {}) {
  check_fields("qk_clip", o);
  std::vector<double> factors;
  for (const double s : largest_logits) {
    if (!std::isfinite(s)) throw error("qk_clip", "Expected finite logits. Received ", s, " for head ", factors.size(), ".");
    factors.push_back(s > o.threshold ? std::pow(o.threshold / s, o.share) : 1);
  }
  return factors;
}

}  // namespace thalweg
