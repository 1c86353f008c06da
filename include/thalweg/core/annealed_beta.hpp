// Schedule-Free's β on its way from one value to another.
#pragma once

#include <thalweg/core/scalar.hpp>

namespace thalweg {

/// 1 - β_t = (1 - first)^(1-p)·(1 - last)^p,  p = min(1, t/steps)
constexpr double annealed_beta(double first, double last, long step, long steps) {
  const double p = min(1.0, static_cast<double>(step) / static_cast<double>(steps));
  return 1 - pow(1 - first, 1 - p) * pow(1 - last, p);
}

}  // namespace thalweg
