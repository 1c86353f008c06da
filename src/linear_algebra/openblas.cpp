// Products by OpenBLAS.
#include <algorithm>
#include <mutex>
#include <string>

#include <cblas.h>

#include "request.hpp"

namespace thalweg::linear_algebra::native {

namespace {

void gemm(std::size_t rows, std::size_t cols, const request<float>& q, std::size_t first) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, q.b_by_columns ? CblasTrans : CblasNoTrans, blasint(rows), blasint(cols),
              blasint(q.inner), q.alpha, q.a + first * q.inner, blasint(q.inner), q.b,
              blasint(q.b_by_columns ? q.inner : q.cols), 1, q.out + first * q.cols, blasint(q.cols));
}
void gemm(std::size_t rows, std::size_t cols, const request<double>& q, std::size_t first) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, q.b_by_columns ? CblasTrans : CblasNoTrans, blasint(rows), blasint(cols),
              blasint(q.inner), q.alpha, q.a + first * q.inner, blasint(q.inner), q.b,
              blasint(q.b_by_columns ? q.inner : q.cols), 1, q.out + first * q.cols, blasint(q.cols));
}
void syrk(const request<float>& q) {
  cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, blasint(q.rows), blasint(q.inner), q.alpha, q.a,
              blasint(q.inner), 1, q.out, blasint(q.cols));
}
void syrk(const request<double>& q) {
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, blasint(q.rows), blasint(q.inner), q.alpha, q.a,
              blasint(q.inner), 1, q.out, blasint(q.cols));
}

template <class T>
void accumulate_any(const request<T>& q) {
  if (!q.lower) return gemm(q.rows, q.cols, q, 0);
  if (q.a == q.b) return syrk(q);
  constexpr std::size_t strip = 192;  // thinner ones multiply more slowly than they save
  for (std::size_t i = 0; i < q.rows; i += strip) {
    const std::size_t rows = std::min(strip, q.rows - i);
    gemm(rows, i + rows, q, i);  // what is beyond the diagonal is left out
  }
}

// OpenBLAS knows only one number of threads for the whole process: the first of us to come sets it to one, the
// last to go puts it back, unless the program has set another number meanwhile.
std::mutex guard;
int inside = 0, threads_outside = 1;

}  // namespace

const char* name() {
  static const std::string text = std::string("OpenBLAS (") + openblas_get_corename() + ")";
  return text.c_str();
}
void accumulate(const request<float>& q) { accumulate_any(q); }
void accumulate(const request<double>& q) { accumulate_any(q); }

void begin_one_thread() {
  const std::lock_guard lock(guard);
  if (inside++ == 0 && (threads_outside = openblas_get_num_threads()) != 1) openblas_set_num_threads(1);
}
void end_one_thread() {
  const std::lock_guard lock(guard);
  if (--inside == 0 && openblas_get_num_threads() == 1 && threads_outside != 1)
    openblas_set_num_threads(threads_outside);
}

}  // namespace thalweg::linear_algebra::native
