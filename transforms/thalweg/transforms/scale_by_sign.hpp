// scale_by_sign: the sign of the update. After a momentum it is Signum.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update sign(u): -1, 0 or 1; NaN stays NaN (Bernstein et al., arXiv 1802.04434)
///
///     auto signum = ema{.beta = 0.9} | scale_by_sign{} | apply_update{};
struct scale_by_sign {
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e) { return next(sign(e.update)); };
  }
};

}  // namespace thalweg
