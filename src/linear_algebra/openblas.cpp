// Products by OpenBLAS.
#include <mutex>
#include <string>

#include <cblas.h>

#include "request.hpp"

namespace thalweg::linear_algebra::native {

namespace {

// The first `cols` columns of these rows.
void gemm(const request<float>& q, rows these, std::size_t cols) {
  cblas_sgemm(CblasRowMajor, CblasNoTrans, q.b_by_columns ? CblasTrans : CblasNoTrans, blasint(these.last - these.first),
              blasint(cols), blasint(q.inner), q.alpha, q.a + these.first * q.inner, blasint(q.inner), q.b,
              blasint(q.b_by_columns ? q.inner : q.cols), 1, q.out + these.first * q.cols, blasint(q.cols));
}
void gemm(const request<double>& q, rows these, std::size_t cols) {
  cblas_dgemm(CblasRowMajor, CblasNoTrans, q.b_by_columns ? CblasTrans : CblasNoTrans, blasint(these.last - these.first),
              blasint(cols), blasint(q.inner), q.alpha, q.a + these.first * q.inner, blasint(q.inner), q.b,
              blasint(q.b_by_columns ? q.inner : q.cols), 1, q.out + these.first * q.cols, blasint(q.cols));
}
// Of these rows the columns of the same numbers, up to the diagonal.
void syrk(const request<float>& q, rows these) {
  cblas_ssyrk(CblasRowMajor, CblasLower, CblasNoTrans, blasint(these.last - these.first), blasint(q.inner), q.alpha,
              q.a + these.first * q.inner, blasint(q.inner), 1, q.out + these.first * (q.cols + 1), blasint(q.cols));
}
void syrk(const request<double>& q, rows these) {
  cblas_dsyrk(CblasRowMajor, CblasLower, CblasNoTrans, blasint(these.last - these.first), blasint(q.inner), q.alpha,
              q.a + these.first * q.inner, blasint(q.inner), 1, q.out + these.first * (q.cols + 1), blasint(q.cols));
}

template <class T>
void accumulate_any(const request<T>& q, rows these) {
  if (!q.lower) return gemm(q, these, q.cols);
  if (q.a != q.b) return gemm(q, these, these.last);  // what is beyond the diagonal is left out
  if (these.first > 0) gemm(q, these, these.first);
  syrk(q, these);
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
void accumulate(const request<float>& q, rows these) { accumulate_any(q, these); }
void accumulate(const request<double>& q, rows these) { accumulate_any(q, these); }

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
