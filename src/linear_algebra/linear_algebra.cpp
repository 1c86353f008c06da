#include <thalweg/core/linear_algebra.hpp>

#include <algorithm>

#include "bfloat16.hpp"
#include "request.hpp"

namespace thalweg::linear_algebra {

namespace {

// The upper triangle from the lower, block by block: both sides stay in cache.
template <class T>
void mirror(T* data, std::size_t n) {
  constexpr std::size_t block = 32;
  for (std::size_t i = 0; i < n; i += block)
    for (std::size_t j = 0; j <= i; j += block)
      for (std::size_t k = j; k < std::min(j + block, n); ++k)
        for (std::size_t l = std::max(i, k + 1); l < std::min(i + block, n); ++l) data[k * n + l] = data[l * n + k];
}

template <class T>
void prefill(const request<T>& q) {
  const std::size_t n = q.rows * q.cols;
  if (q.c && q.d)
    for (std::size_t i = 0; i < n; ++i) q.out[i] = q.beta * q.c[i] + q.gamma * q.d[i];
  else if (q.c)
    for (std::size_t i = 0; i < n; ++i) q.out[i] = q.beta * q.c[i];
  else
    std::fill_n(q.out, n, T(0));
}

template <class T>
void multiply(const request<T>& q) {
  prefill(q);
  native::accumulate(q);
}

}  // namespace

template <class T>
void gram(matrix<const T> x, matrix<T> out) noexcept {
  multiply<T>({.a = x.data, .b = x.data, .rows = x.rows, .inner = x.cols, .cols = x.rows, .b_by_columns = true,
               .lower = true, .out = out.data});
  mirror(out.data, out.rows);
}

template <class T>
void symmetric_product(double alpha, matrix<const T> a, matrix<const T> b, addend<T> c, addend<T> d,
                       matrix<T> out) noexcept {
  multiply<T>({.alpha = T(alpha), .a = a.data, .b = b.data, .rows = a.rows, .inner = a.rows, .cols = a.rows,
               .b_by_columns = true, .lower = true, .beta = T(c.factor), .c = c.data, .gamma = T(d.factor),
               .d = d.data, .out = out.data});
  mirror(out.data, out.rows);
}

template <class T>
void product(double alpha, matrix<const T> a, matrix<const T> b, addend<T> c, matrix<T> out) noexcept {
  multiply<T>({.alpha = T(alpha), .a = a.data, .b = b.data, .rows = a.rows, .inner = a.cols, .cols = b.cols,
               .beta = T(c.factor), .c = c.data, .out = out.data});
}

template void gram(matrix<const float>, matrix<float>) noexcept;
template void gram(matrix<const double>, matrix<double>) noexcept;
template void symmetric_product(double, matrix<const float>, matrix<const float>, addend<float>, addend<float>,
                                matrix<float>) noexcept;
template void symmetric_product(double, matrix<const double>, matrix<const double>, addend<double>, addend<double>,
                                matrix<double>) noexcept;
template void product(double, matrix<const float>, matrix<const float>, addend<float>, matrix<float>) noexcept;
template void product(double, matrix<const double>, matrix<const double>, addend<double>, matrix<double>) noexcept;

std::string backend() {
  const auto unit = bfloat16::available();
  return std::string(native::name()) + (unit == bfloat16::unit::tiles  ? ", bfloat16 by AMX"
                                        : unit == bfloat16::unit::dots ? ", bfloat16 by AVX512-BF16"
                                                                       : "");
}

one_thread::one_thread() noexcept { native::begin_one_thread(); }
one_thread::~one_thread() { native::end_one_thread(); }

}  // namespace thalweg::linear_algebra
