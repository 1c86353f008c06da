#include <thalweg/orthogonalization/decorrelation.hpp>

#include <cmath>
#include <limits>

#include "products.hpp"

namespace thalweg::detail {

namespace {

/// Every row becomes 1 long, in double: squares of float may leave its range. A row of at most `nothing` becomes zero.
template <class T>
void normalize_rows(matrix<T> m, double nothing) {
  for (Eigen::Index i = 0; i < m.rows(); ++i) {
    const double length = m.row(i).template cast<double>().norm();
    const double by = length <= nothing ? 0 : 1 / length;  // a NaN stays
    m.row(i) = (by * m.row(i).template cast<double>()).template cast<T>();
  }
}

template <class T>
void decorrelate(T* data, std::size_t rows, std::size_t cols, long passes, T* square) {
  const linear_algebra::one_thread alone;
  auto m = map(data, rows, cols), gram = map(square, rows, rows);
  const double rounding = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());
  normalize_rows(m, 0);
  for (long pass = 0; pass < passes; ++pass) {
    multiply(m, m.transpose(), gram);
    for (Eigen::Index i = 0; i < gram.rows(); ++i)
      if (gram(i, i) == 0) gram(i, i) = 1;  // of a row of zeros
    // The matrix is symmetric: its upper triangle transposed is the lower one.
    linear_algebra::native::solve_transposed(square, rows, data, cols, false);
    normalize_rows(m, rounding);
  }
}

}  // namespace

void decorrelation::operator()(float* matrix, std::size_t rows, std::size_t cols, float* square) const noexcept {
  decorrelate(matrix, rows, cols, passes, square);
}
void decorrelation::operator()(double* matrix, std::size_t rows, std::size_t cols, double* square) const noexcept {
  decorrelate(matrix, rows, cols, passes, square);
}

}  // namespace thalweg::detail
