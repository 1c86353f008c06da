// The linear algebra for transforms, in one small interface. The build of the library chooses what computes it.
#pragma once

#include <cstddef>
#include <string>

namespace thalweg::linear_algebra {

/// A view of a row-major matrix.
template <class T>
struct matrix {
  T* data;
  std::size_t rows, cols;
};

/// A multiple of a matrix that is added to a product and has its shape.
template <class T>
struct addend {
  double factor = 0;
  const T* data = nullptr;
};

// For T = float and double.

/// out = x·xᵀ, the whole of a symmetric matrix.
template <class T>
void gram(matrix<const T> x, matrix<T> out) noexcept;

/// out = alpha·a·b + c + d for symmetric matrices whose product is symmetric (polynomials in one matrix).
/// `out` may be c or d, not a or b.
template <class T>
void symmetric_product(double alpha, matrix<const T> a, matrix<const T> b, addend<T> c, addend<T> d,
                       matrix<T> out) noexcept;

/// out = alpha·a·b + c
template <class T>
void product(double alpha, matrix<const T> a, matrix<const T> b, addend<T> c, matrix<T> out) noexcept;

/// What computes, as text: "OpenBLAS (SkylakeX), bfloat16 by AMX".
std::string backend();

/// While one lives, OpenBLAS computes products in the calling thread alone. Otherwise it takes threads of its own, and the bits
/// of a result depend on their number. Hold one around calls of this interface.
class one_thread {
 public:
  one_thread() noexcept;
  ~one_thread();
  one_thread(const one_thread&) = delete;
  one_thread& operator=(const one_thread&) = delete;
};

}  // namespace thalweg::linear_algebra
