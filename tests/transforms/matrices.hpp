// Row-major matrices, in double and in plain loops.
#pragma once

#include <cmath>
#include <utility>

#include "oracle.hpp"

namespace oracle {

/// a·b
inline vector times(const vector& a, std::size_t rows, std::size_t inner, const vector& b, std::size_t cols) {
  return newton_schulz::product(a, rows, inner, b, cols, false);
}
inline vector transposed(const vector& a, std::size_t rows, std::size_t cols) {
  return newton_schulz::transposed(a, rows, cols);
}

/// Of a symmetric matrix: its eigenvalues in no order, and its eigenvectors as columns. By Jacobi's rotations, each of
/// which makes one pair of elements zero.
inline std::pair<vector, vector> eigen(vector a, std::size_t n) {
  vector v(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) v[i * n + i] = 1;
  for (int sweep = 0; sweep < 50; ++sweep)
    for (std::size_t p = 0; p < n; ++p)
      for (std::size_t q = p + 1; q < n; ++q) {
        const double angle = std::atan2(2 * a[p * n + q], a[p * n + p] - a[q * n + q]) / 2;
        const double c = std::cos(angle), s = std::sin(angle);
        const auto rotate = [=](double& x, double& y) {
          const double before = x;
          x = c * before + s * y;
          y = c * y - s * before;
        };
        for (std::size_t k = 0; k < n; ++k) rotate(a[k * n + p], a[k * n + q]), rotate(v[k * n + p], v[k * n + q]);
        for (std::size_t k = 0; k < n; ++k) rotate(a[p * n + k], a[q * n + k]);
      }
  vector values(n);
  for (std::size_t i = 0; i < n; ++i) values[i] = a[i * n + i];
  return {values, v};
}

}  // namespace oracle
