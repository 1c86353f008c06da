// Products by OpenBLAS, decompositions by the LAPACK in it.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <mutex>
#include <string>
#include <type_traits>
#include <vector>

#include <cblas.h>

#include "request.hpp"

// LAPACK's routines in Fortran, whose strings pass their lengths last.
extern "C" {
void dsyevd_(const char* job, const char* triangle, const blasint* n, double* a, const blasint* stride, double* values, double* work,
             const blasint* work_size, blasint* whole, const blasint* whole_size, blasint* failed, std::size_t, std::size_t);
void dsyev_(const char* job, const char* triangle, const blasint* n, double* a, const blasint* stride, double* values, double* work,
            const blasint* work_size, blasint* failed, std::size_t, std::size_t);
void dgeqrf_(const blasint* rows, const blasint* cols, double* a, const blasint* stride, double* tau, double* work,
             const blasint* work_size, blasint* failed);
void dorgqr_(const blasint* rows, const blasint* cols, const blasint* reflectors, double* a, const blasint* stride,
             const double* tau, double* work, const blasint* work_size, blasint* failed);
void dgesv_(const blasint* n, const blasint* columns, double* a, const blasint* stride, blasint* pivots, double* b,
            const blasint* stride_of_b, blasint* failed);
}

namespace thalweg::linear_algebra::native {

namespace {

// Where the rows of a begin, and how far apart they are.
template <class T>
const T* rows_of_a(const request<T>& q, rows these) {
  return q.a + these.first * (q.a_by_columns ? 1 : q.inner);
}
template <class T>
blasint stride_of_a(const request<T>& q) {
  return blasint(q.a_by_columns ? q.rows : q.inner);
}
CBLAS_TRANSPOSE as(bool by_columns) { return by_columns ? CblasTrans : CblasNoTrans; }

struct columns {
  std::size_t first, last;
};

// These columns of these rows.
template <class T>
void gemm(const request<T>& q, rows these, columns of) {
  const auto call = [&](auto function) {
    function(CblasRowMajor, as(q.a_by_columns), as(q.b_by_columns), blasint(these.last - these.first), blasint(of.last - of.first),
             blasint(q.inner), q.alpha, rows_of_a(q, these), stride_of_a(q), q.b + of.first * (q.b_by_columns ? q.inner : 1),
             blasint(q.b_by_columns ? q.inner : q.cols), T(1), q.out + these.first * q.cols + of.first, blasint(q.cols));
  };
  if constexpr (std::is_same_v<T, float>) call(cblas_sgemm);
  else call(cblas_dgemm);
}
// The lower triangle of the square of these rows on the diagonal.
template <class T>
void syrk(const request<T>& q, rows these) {
  const auto call = [&](auto function) {
    function(CblasRowMajor, CblasLower, as(q.a_by_columns), blasint(these.last - these.first), blasint(q.inner), q.alpha,
             rows_of_a(q, these), stride_of_a(q), T(1), q.out + these.first * (q.cols + 1), blasint(q.cols));
  };
  if constexpr (std::is_same_v<T, float>) call(cblas_ssyrk);
  else call(cblas_dsyrk);
}

template <class T>
void accumulate_any(const request<T>& q, rows these) {
  if (!q.lower) return gemm(q, these, {0, q.cols});
  if (these.first > 0) gemm(q, these, {0, these.first});
  if (q.a == q.b) return syrk(q, these);
  constexpr std::size_t step = 64;  // of the block on the diagonal, a part above it as well
  for (std::size_t i = these.first; i < these.last; i += step) {
    const std::size_t end = std::min(i + step, these.last);
    gemm(q, {i, end}, {these.first, end});
  }
}

template <class T>
void solve_transposed_any(const T* upper, std::size_t n, T* x, std::size_t count, bool by_rows) {
  if (n == 0 || count == 0) return;
  const auto size = blasint(n), number = blasint(count);
  const auto call = [&](auto function) {
    if (by_rows) function(CblasRowMajor, CblasRight, CblasUpper, CblasNoTrans, CblasNonUnit, number, size, T(1), upper, size, x, size);
    else function(CblasRowMajor, CblasLeft, CblasUpper, CblasTrans, CblasNonUnit, size, number, T(1), upper, size, x, number);
  };
  if constexpr (std::is_same_v<T, float>) call(cblas_strsm);
  else call(cblas_dtrsm);
}

void spoil_if(blasint failed, double* numbers, std::size_t n) {
  if (failed) std::fill_n(numbers, n, std::numeric_limits<double>::quiet_NaN());
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

void solve_transposed(const float* upper, std::size_t n, float* x, std::size_t count, bool by_rows) {
  solve_transposed_any(upper, n, x, count, by_rows);
}
void solve_transposed(const double* upper, std::size_t n, double* x, std::size_t count, bool by_rows) {
  solve_transposed_any(upper, n, x, count, by_rows);
}

void eigen_decompose(double* symmetric, std::size_t n, double* values) {
  const auto size = blasint(n);
  blasint failed = 0;
  if (n <= 32766) {  // the faster routine asks for memory whose size must be a number of 32 bits
    const blasint work_size = 1 + 6 * size + 2 * size * size, whole_size = 3 + 5 * size;
    std::vector<double> work(static_cast<std::size_t>(work_size));
    std::vector<blasint> whole(static_cast<std::size_t>(whole_size));
    dsyevd_("V", "L", &size, symmetric, &size, values, work.data(), &work_size, whole.data(), &whole_size, &failed, 1, 1);
  } else {
    const blasint work_size = 66 * size;
    std::vector<double> work(static_cast<std::size_t>(work_size));
    dsyev_("V", "L", &size, symmetric, &size, values, work.data(), &work_size, &failed, 1, 1);
  }
  spoil_if(failed, symmetric, n * n);
  spoil_if(failed, values, n);
}

void orthonormalize(double* square, std::size_t n) {
  const auto size = blasint(n), work_size = 64 * size;
  std::vector<double> tau(n), work(static_cast<std::size_t>(work_size));
  blasint failed = 0;
  dgeqrf_(&size, &size, square, &size, tau.data(), work.data(), &work_size, &failed);
  if (!failed) dorgqr_(&size, &size, &size, square, &size, tau.data(), work.data(), &work_size, &failed);
  spoil_if(failed, square, n * n);
}

void solve(double* a, std::size_t n, double* b) {
  const blasint size = blasint(n), one = 1;
  std::vector<blasint> pivots(n);
  blasint failed = 0;
  dgesv_(&size, &one, a, &size, pivots.data(), b, &size, &failed);
  spoil_if(failed, b, n);
}

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
