// A fraction of a matrix's rows, columns or directions, as a whole number of them.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace thalweg {

/// Rounded up; at least one of them.
inline std::size_t count_of(double fraction, std::size_t all) {
  const double share = std::ceil(fraction * static_cast<double>(all) * (1 - 1e-12));  // 0.1 · 30 is 3
  return std::max<std::size_t>(1, std::min(all, static_cast<std::size_t>(share)));
}

}  // namespace thalweg
