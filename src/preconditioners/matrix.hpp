// Arrays as Eigen's matrices, where they lie.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <type_traits>

#include <Eigen/Core>
#include <thalweg/core/scalar.hpp>

namespace thalweg::detail {

template <class T>
using matrix = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

template <class T>
matrix<T> map(T* data, std::size_t rows, std::size_t cols) {
  return {data, static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols)};
}

/// Shortens a matrix to a Frobenius norm of 2^60 (float) or 2^250 (double) at most, and returns the factor. Products of two
/// such matrices are then finite, and in double those of four.
template <class Matrix>
auto hold_products_finite(Matrix&& m) {
  using T = typename std::remove_cvref_t<Matrix>::Scalar;
  constexpr T most = std::numeric_limits<T>::max_exponent > 128 ? static_cast<T>(0x1p250) : static_cast<T>(0x1p60);
  const T largest = m.cwiseAbs().maxCoeff();
  if (largest * std::sqrt(static_cast<T>(m.size())) <= most || !is_finite(largest)) return T(1);
  m /= largest;
  const T length = std::min(largest, most / m.norm());
  m *= length;
  return length / largest;
}

}  // namespace thalweg::detail
