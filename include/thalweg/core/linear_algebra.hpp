// The linear algebra that transforms are built on, in one small interface; what computes it is chosen in src/.
#pragma once

#include <cstddef>
#include <string>

namespace thalweg::linear_algebra {

/// A row-major matrix in memory of somebody else's.
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

/// What becomes of the factors of a float32 product before they are multiplied; sums are float32 always.
enum class factors {
  exact,   ///< nothing
  split,   ///< each becomes the sum of two bfloat16, of 16 significant bits; where tiles() only, else exact
  rounded  ///< each is rounded to bfloat16
};

/// How to multiply, and memory to do it in. Double is exact always.
template <class T>
struct arithmetic {
  linear_algebra::factors factors = linear_algebra::factors::exact;
  T* workspace = nullptr;  ///< of workspace(...) numbers
};

/// The numbers that products with a left factor of rows × inner and a right one of inner × cols need as workspace.
std::size_t workspace(factors, std::size_t rows, std::size_t inner, std::size_t cols);

/// out = x·xᵀ, the whole of a symmetric matrix.
void gram(const arithmetic<float>&, matrix<const float> x, matrix<float> out) noexcept;
void gram(const arithmetic<double>&, matrix<const double> x, matrix<double> out) noexcept;

/// out = alpha·a·b + c + d for symmetric matrices whose product is symmetric (polynomials in one matrix).
/// `out` may be c or d, not a or b.
void symmetric_product(const arithmetic<float>&, double alpha, matrix<const float> a, matrix<const float> b,
                       addend<float> c, addend<float> d, matrix<float> out) noexcept;
void symmetric_product(const arithmetic<double>&, double alpha, matrix<const double> a, matrix<const double> b,
                       addend<double> c, addend<double> d, matrix<double> out) noexcept;

/// out = alpha·a·b + c
void product(const arithmetic<float>&, double alpha, matrix<const float> a, matrix<const float> b, addend<float> c,
             matrix<float> out) noexcept;
void product(const arithmetic<double>&, double alpha, matrix<const double> a, matrix<const double> b,
             addend<double> c, matrix<double> out) noexcept;

/// Whether this processor multiplies tiles of bfloat16 (AMX): then `split` is faster than `exact`.
bool tiles() noexcept;

/// What computes, for people: "OpenBLAS (SkylakeX), bfloat16 by AMX".
std::string backend();

/// While one lives, products are computed by the calling thread alone; whoever steps holds one.
class one_thread {
 public:
  one_thread() noexcept;
  ~one_thread();
  one_thread(const one_thread&) = delete;
  one_thread& operator=(const one_thread&) = delete;
};

}  // namespace thalweg::linear_algebra
