#include <thalweg/core/linear_algebra.hpp>

#include <algorithm>

#include "../threads/crew.hpp"
#include "bfloat16.hpp"
#include "request.hpp"

namespace thalweg::linear_algebra {

namespace {

// f(rows) for some of `all` rows at a time, with the help of idle threads. Where the rows are cut depends on their number
// alone, and so does each number of the result.
template <class F>
void by_rows(std::size_t all, const F& f) {
  constexpr std::size_t fewest = 256;  // fewer would multiply more slowly
  const std::size_t pieces = std::max(std::size_t{1}, all / fewest);
  detail::in_pieces(pieces, detail::piece_body([&](std::size_t i) { f(rows{i * all / pieces, (i + 1) * all / pieces}); }));
}

// The upper triangle from the lower, block by block: both sides stay in cache.
template <class T>
void mirror(T* data, std::size_t n, rows lower) {
  constexpr std::size_t block = 32;
  for (std::size_t i = lower.first; i < lower.last; i += block)
    for (std::size_t j = 0; j < std::min(i + block, lower.last); j += block)  // `first` may be no multiple of `block`
      for (std::size_t k = j; k < std::min(j + block, lower.last); ++k)
        for (std::size_t l = std::max(i, k + 1); l < std::min(i + block, lower.last); ++l) data[k * n + l] = data[l * n + k];
}

template <class T>
void prefill(const request<T>& q, rows these) {
  const std::size_t begin = these.first * q.cols, end = these.last * q.cols;
  if (q.c && q.d)
    for (std::size_t i = begin; i < end; ++i) q.out[i] = q.beta * q.c[i] + q.gamma * q.d[i];
  else if (q.c)
    for (std::size_t i = begin; i < end; ++i) q.out[i] = q.beta * q.c[i];
  else
    std::fill(q.out + begin, q.out + end, T(0));
}

}  // namespace

template <class T>
void multiply(const request<T>& q) noexcept {
  by_rows(q.rows, [&](rows these) {
    prefill(q, these);
    native::accumulate(q, these);
  });
  if (q.lower) by_rows(q.rows, [&](rows these) { mirror(q.out, q.rows, these); });
}
template void multiply(const request<float>&) noexcept;
template void multiply(const request<double>&) noexcept;

template <class T>
void gram(matrix<const T> x, matrix<T> out) noexcept {
  multiply<T>({.a = x.data, .b = x.data, .rows = x.rows, .inner = x.cols, .cols = x.rows, .b_by_columns = true,
               .lower = true, .out = out.data});
}

template <class T>
void symmetric_product(double alpha, matrix<const T> a, matrix<const T> b, addend<T> c, addend<T> d,
                       matrix<T> out) noexcept {
  multiply<T>({.alpha = T(alpha), .a = a.data, .b = b.data, .rows = a.rows, .inner = a.rows, .cols = a.rows,
               .b_by_columns = true, .lower = true, .beta = T(c.factor), .c = c.data, .gamma = T(d.factor),
               .d = d.data, .out = out.data});
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
