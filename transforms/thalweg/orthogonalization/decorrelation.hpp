// Makes rows independent of the rows above them: compiled in the library.
#pragma once

#include <cstddef>

namespace thalweg::detail {

/// On a row-major matrix with at most as many rows as columns, in place. `square` holds rows · rows numbers.
struct decorrelation {
  long passes;
  void operator()(float* matrix, std::size_t rows, std::size_t cols, float* square) const noexcept;
  void operator()(double* matrix, std::size_t rows, std::size_t cols, double* square) const noexcept;
};

}  // namespace thalweg::detail
