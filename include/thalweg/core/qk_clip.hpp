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
/// Queries and keys of a head of its own take a half each. Keys that several heads share stay as they are, and the queries take
/// the whole: `share` = 1. So no head changes but those that are too large. For the same reason K2's rotary part, whose keys
/// are shared, is 1 for the queries.
struct qk_clip_options {
  double threshold = 100;
  double share = 0.5;
  static constexpr auto fields = list{field{"threshold", &qk_clip_options::threshold, positive},
                                      field{"share", &qk_clip_options::share, from(0).to(1)}};
};

/// min(1, τ/S)^share for the largest logit S of each head: the factors of its rows, for `optimizer::scale_rows`. Throws where a
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
