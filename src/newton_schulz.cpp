#include <thalweg/transforms/orthogonalize_update.hpp>

#include <algorithm>
#include <cmath>
#include <utility>

#include <thalweg/core/linear_algebra.hpp>

namespace thalweg::detail {

namespace {

using linear_algebra::matrix;

// to = factor·from, transposed where asked; from is rows × cols
template <class T>
void copy_scaled(const T* from, std::size_t rows, std::size_t cols, T factor, bool transposed, T* to) {
  if (!transposed) {
    std::transform(from, from + rows * cols, to, [=](T x) { return factor * x; });
    return;
  }
  constexpr std::size_t block = 16;  // both sides stay in cache
  for (std::size_t i = 0; i < rows; i += block)
    for (std::size_t j = 0; j < cols; j += block)
      for (std::size_t k = i; k < std::min(i + block, rows); ++k)
        for (std::size_t l = j; l < std::min(j + block, cols); ++l) to[l * rows + k] = factor * from[k * cols + l];
}

template <class T>
double frobenius_norm(const T* data, std::size_t n) {
  double sums[8] = {};
  for (std::size_t i = 0; i < n; ++i) sums[i % 8] += static_cast<double>(data[i]) * static_cast<double>(data[i]);
  double sum = 0;
  for (const double s : sums) sum += s;
  return std::sqrt(sum);
}

// The Gram matrix of the short side is the small one: short_side <= long_side always. A square matrix is taken by its
// rows, in whichever order they lie in memory.
template <class T>
void iterate(T* data, std::size_t rows, std::size_t cols, storage_order order, const coefficient_set& coefficients,
             long steps, double epsilon, double scale, std::span<T> scratch) {
  const bool columns_first = order == storage_order::column_major;
  const bool transposed = (rows > cols) != columns_first;  // x is not as the matrix lies in memory
  const std::size_t m = std::min(rows, cols), n = std::max(rows, cols), size = m * n;
  T* x = scratch.data();
  T* other = data;
  matrix<T> gram{x + size, m, m}, polynomial{gram.data + m * m, m, m};

  const double norm = frobenius_norm(data, size) + epsilon;
  const std::size_t lying_rows = columns_first ? cols : rows, lying_cols = size / lying_rows;
  copy_scaled(data, lying_rows, lying_cols, static_cast<T>(1 / norm), transposed, x);

  if (coefficients.rescale_columns) {  // rows of x, for x may be the transposed: s_i = 1/√Σ_j |x·xᵀ|_ij
    linear_algebra::gram(matrix<const T>{x, m, n}, gram);
    for (std::size_t i = 0; i < m; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < m; ++j) sum += std::abs(static_cast<double>(gram.data[i * m + j]));
      const T s = static_cast<T>(1 / (std::sqrt(sum) + epsilon / norm));  // x was divided by the norm before
      for (std::size_t j = 0; j < n; ++j) x[i * n + j] *= s;
    }
  }

  for (long i = 0; i < steps; ++i) {
    const quintic& q = coefficients.step(static_cast<std::size_t>(i));
    const matrix<const T> a{gram.data, m, m}, b{polynomial.data, m, m}, from{x, m, n};
    linear_algebra::gram(from, gram);
    linear_algebra::symmetric_product(q.c, a, a, q.b, a, polynomial);
    linear_algebra::product(b, from, q.a, from, matrix<T>{other, m, n});
    std::swap(x, other);
  }

  if (x == data) {
    std::copy_n(x, size, other);
    x = other;
  }
  copy_scaled(x, m, n, static_cast<T>(scale), transposed, data);
}

}  // namespace

std::size_t newton_schulz_scratch(std::size_t rows, std::size_t cols) {
  const std::size_t m = std::min(rows, cols);
  return rows * cols + 2 * m * m;
}

void newton_schulz(float* matrix, std::size_t rows, std::size_t cols, storage_order order,
                   const coefficient_set& coefficients, long steps, double epsilon, double scale,
                   std::span<float> scratch) noexcept {
  iterate(matrix, rows, cols, order, coefficients, steps, epsilon, scale, scratch);
}
void newton_schulz(double* matrix, std::size_t rows, std::size_t cols, storage_order order,
                   const coefficient_set& coefficients, long steps, double epsilon, double scale,
                   std::span<double> scratch) noexcept {
  iterate(matrix, rows, cols, order, coefficients, steps, epsilon, scale, scratch);
}

}  // namespace thalweg::detail
