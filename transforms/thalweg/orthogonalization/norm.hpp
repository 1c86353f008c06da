// The norm by which a matrix is divided before the iteration.
#pragma once

#include <string_view>

namespace thalweg {

/// Both are at least the largest singular value, which the iteration needs to be 1 at most.
enum class norm {
  frobenius,  ///< √Σσ²
  schatten_4  ///< (Σσ⁴)^¼, which is shorter: the iteration begins nearer to 1. Computed in the matrix's own arithmetic
};

constexpr std::string_view to_text(norm n) { return n == norm::frobenius ? "frobenius" : "schatten_4"; }

}  // namespace thalweg
