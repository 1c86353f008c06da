// The linear algebra that transforms are built on, in one small interface; what computes it is chosen in src/.
#pragma once

#include <cstddef>

namespace thalweg::linear_algebra {

/// A row-major matrix in memory of somebody else's.
template <class T>
struct matrix {
  T* data;
  std::size_t rows, cols;
};

/// out = x·xᵀ, the whole of a symmetric matrix.
void gram(matrix<const float> x, matrix<float> out) noexcept;
void gram(matrix<const double> x, matrix<double> out) noexcept;

/// out = alpha·a·b + beta·c for symmetric a, b and c whose product is symmetric (polynomials in one matrix).
void symmetric_product(double alpha, matrix<const float> a, matrix<const float> b, double beta, matrix<const float> c,
                       matrix<float> out) noexcept;
void symmetric_product(double alpha, matrix<const double> a, matrix<const double> b, double beta,
                       matrix<const double> c, matrix<double> out) noexcept;

/// out = a·b + beta·c
void product(matrix<const float> a, matrix<const float> b, double beta, matrix<const float> c,
             matrix<float> out) noexcept;
void product(matrix<const double> a, matrix<const double> b, double beta, matrix<const double> c,
             matrix<double> out) noexcept;

}  // namespace thalweg::linear_algebra
