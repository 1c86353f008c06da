// The norm by which a matrix is divided before the iteration.
#pragma once

#include <string_view>

namespace thalweg {

/// Both are at least the largest singular value. After the division it is at most 1, as the iteration needs.
enum class norm {
  frobenius,  ///< √Σσ²
  schatten_4  ///< (Σσ⁴)^¼, smaller: the iteration begins closer to 1. Computed in the type of the matrix
};

constexpr std::string_view to_text(norm n) { return n == norm::frobenius ? "frobenius" : "schatten_4"; }

}  // namespace thalweg
