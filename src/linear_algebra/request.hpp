// What a backend is asked for. It includes nothing that a backend for one processor could compile for all.
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

/// In the factors' own precision: Eigen or OpenBLAS, chosen when configured. Here `out` holds beta·c + gamma·d.
namespace native {
const char* name();
void accumulate(const request<float>&);
void accumulate(const request<double>&);
void begin_one_thread();
void end_one_thread();
}  // namespace native

/// On tiles of bfloat16, with factors split in two where `split`. Only where `available()`.
namespace amx {
bool available();
std::size_t workspace_bytes(bool split, std::size_t rows, std::size_t inner);
void multiply(const request<float>&, bool split, void* workspace);
}  // namespace amx

}  // namespace thalweg::linear_algebra
