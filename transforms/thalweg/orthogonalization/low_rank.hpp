// Dion's step on one matrix: compiled in the library.
#pragma once

#include <cstddef>

#include <thalweg/core/white_noise.hpp>

namespace thalweg::detail {

/// Row-major: `momentum` and `update` of rows × cols, `basis` of rank × cols, `scratch` of rank × (rows + cols) numbers.
template <class T>
struct low_rank_matrix {
  T *momentum, *update, *basis, *scratch;
  std::size_t rows, cols, rank;
};
struct low_rank_step {
  double keep, epsilon, scale;
  bool begins;
  white_noise noise;
  void operator()(const low_rank_matrix<float>& m) const noexcept;
  void operator()(const low_rank_matrix<double>& m) const noexcept;
};

}  // namespace thalweg::detail
