// A matrix by its singular values, apart from who uses it: nvcc takes long over Eigen.
#pragma once

#include <vector>

#include "../linear_algebra/dense.hpp"

struct decomposition {
  dense u;  ///< its columns belong to the singular values
  std::vector<double> singular_values;
  dense v;

  /// u·diag(values)·vᵀ
  [[nodiscard]] dense with(const std::vector<double>& values) const {
    dense scaled = u;
    for (std::size_t i = 0; i < u.rows; ++i)
      for (std::size_t j = 0; j < u.cols; ++j) scaled(i, j) *= values[j];
    return scaled * transposed(v);
  }
};

decomposition decomposed(const dense& m);
