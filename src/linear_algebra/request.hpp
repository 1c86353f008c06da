// What a backend is asked for.
#pragma once

#include <cstddef>

namespace thalweg::linear_algebra {

/// out = alpha·a·b + beta·c + gamma·d. c and d may be null. `out` may be c or d.
template <class T>
struct request {
  T alpha = 1;
  const T* a = nullptr;
  const T* b = nullptr;
  std::size_t rows = 0, inner = 0, cols = 0;
  bool a_by_columns = false;  ///< a is stored as inner × rows
  bool b_by_columns = false;  ///< b is stored as cols × inner
  bool lower = false;         ///< only the lower triangle is wanted; above it anything may be written
  T beta = 0;
  const T* c = nullptr;
  T gamma = 0;
  const T* d = nullptr;
  T* out = nullptr;
};

/// Rows [first, last) of a product. For a lower triangle, only the part of these rows up to the diagonal.
struct rows {
  std::size_t first, last;
};

/// The whole product, with the help of idle threads. Its bits do not depend on their number.
template <class T>
void multiply(const request<T>&) noexcept;

/// Eigen or OpenBLAS, chosen when configured. Here `out` holds beta·c + gamma·d.
namespace native {
const char* name();
void accumulate(const request<float>&, rows);
void accumulate(const request<double>&, rows);
void begin_one_thread();
void end_one_thread();

/// x ← Q⁻ᵀ·x of an upper triangular n × n matrix, row by row: for the vectors that are the columns of x (n × count), or its
/// rows (count × n). The caller holds a `one_thread`.
void solve_transposed(const float* upper, std::size_t n, float* x, std::size_t count, bool by_rows);
void solve_transposed(const double* upper, std::size_t n, double* x, std::size_t count, bool by_rows);

// Of square matrices of n columns, column by column. All numbers must be finite. The caller holds a `one_thread`.

/// Eigenvectors replace a symmetric matrix, one a column. `values` gets n eigenvalues, the smallest first.
void eigen_decompose(double* symmetric, std::size_t n, double* values);
/// Q of the decomposition Q·R replaces the matrix.
void orthonormalize(double* square, std::size_t n);
/// The solution x of a·x = b replaces b. `a` is overwritten.
void solve(double* a, std::size_t n, double* b);
}  // namespace native

}  // namespace thalweg::linear_algebra
