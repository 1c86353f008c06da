// What a backend is asked for.
#pragma once

#include <cstddef>

namespace thalweg::linear_algebra {

/// out = alpha·a·b + beta·c + gamma·d, or alpha·a·bᵀ where b is given by its columns; no part of c or d where null.
template <class T>
struct request {
  T alpha = 1;
  const T* a = nullptr;
  const T* b = nullptr;
  std::size_t rows = 0, inner = 0, cols = 0;
  bool b_by_columns = false;  ///< b is stored as cols × inner
  bool lower = false;         ///< only the lower triangle is wanted; above it anything may be written
  T beta = 0;
  const T* c = nullptr;
  T gamma = 0;
  const T* d = nullptr;
  T* out = nullptr;
};

/// Rows [first, last) of a product. Where only the lower triangle is wanted, of these rows the part up to the diagonal.
struct rows {
  std::size_t first, last;
};

/// Eigen or OpenBLAS, chosen when configured. Here `out` holds beta·c + gamma·d.
namespace native {
const char* name();
void accumulate(const request<float>&, rows);
void accumulate(const request<double>&, rows);
void begin_one_thread();
void end_one_thread();
}  // namespace native

}  // namespace thalweg::linear_algebra
