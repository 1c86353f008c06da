#include <thalweg/core/linear_algebra.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>

#include "request.hpp"

namespace thalweg::linear_algebra {

namespace {

constexpr std::size_t line = 64;  // bytes

float round_to_bfloat16(float x) {
  const auto bits = std::bit_cast<std::uint32_t>(x);
  if ((bits & 0x7fffffffu) > 0x7f800000u) return x;  // NaN
  return std::bit_cast<float>((bits + 0x7fffu + (bits >> 16 & 1u)) & 0xffff0000u);  // to nearest, ties to even
}

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

void multiply(const arithmetic<double>&, const request<double>& q) {
  prefill(q);
  native::accumulate(q);
}

void multiply(const arithmetic<float>& how, request<float> q) {
  if (how.factors != factors::exact && amx::available()) {
    const auto address = reinterpret_cast<std::uintptr_t>(how.workspace);
    auto* const aligned = reinterpret_cast<std::byte*>(how.workspace) + (line - address % line) % line;
    return amx::multiply(q, how.factors == factors::split, aligned);
  }
  prefill(q);
  if (how.factors == factors::rounded) {
    const bool same = q.a == q.b;
    q.a = std::transform(q.a, q.a + q.rows * q.inner, how.workspace, round_to_bfloat16) - q.rows * q.inner;
    float* const b = how.workspace + q.rows * q.inner;
    q.b = same ? q.a : std::transform(q.b, q.b + q.inner * q.cols, b, round_to_bfloat16) - q.inner * q.cols;
  }
  native::accumulate(q);
}

template <class T>
void gram_of(const arithmetic<T>& how, matrix<const T> x, matrix<T> out) {
  multiply(how, {.a = x.data, .b = x.data, .rows = x.rows, .inner = x.cols, .cols = x.rows, .b_by_columns = true,
                 .lower = true, .out = out.data});
  mirror(out.data, out.rows);
}

template <class T>
void symmetric_product_of(const arithmetic<T>& how, double alpha, matrix<const T> a, matrix<const T> b, addend<T> c,
                          addend<T> d, matrix<T> out) {
  multiply(how, {.alpha = T(alpha), .a = a.data, .b = b.data, .rows = a.rows, .inner = a.rows, .cols = a.rows,
                 .b_by_columns = true, .lower = true, .beta = T(c.factor), .c = c.data, .gamma = T(d.factor),
                 .d = d.data, .out = out.data});
  mirror(out.data, out.rows);
}

template <class T>
void product_of(const arithmetic<T>& how, double alpha, matrix<const T> a, matrix<const T> b, addend<T> c,
                matrix<T> out) {
  multiply(how, {.alpha = T(alpha), .a = a.data, .b = b.data, .rows = a.rows, .inner = a.cols, .cols = b.cols,
                 .beta = T(c.factor), .c = c.data, .out = out.data});
}

}  // namespace

std::size_t workspace(factors f, std::size_t rows, std::size_t inner, std::size_t cols) {
  if (f == factors::exact) return 0;
  if (amx::available())
    return (amx::workspace_bytes(f == factors::split, rows, inner) + line) / sizeof(float);
  return f == factors::split ? 0 : rows * inner + inner * cols;
}

void gram(const arithmetic<float>& how, matrix<const float> x, matrix<float> out) noexcept { gram_of(how, x, out); }
void gram(const arithmetic<double>& how, matrix<const double> x, matrix<double> out) noexcept { gram_of(how, x, out); }

void symmetric_product(const arithmetic<float>& how, double alpha, matrix<const float> a, matrix<const float> b,
                       addend<float> c, addend<float> d, matrix<float> out) noexcept {
  symmetric_product_of(how, alpha, a, b, c, d, out);
}
void symmetric_product(const arithmetic<double>& how, double alpha, matrix<const double> a, matrix<const double> b,
                       addend<double> c, addend<double> d, matrix<double> out) noexcept {
  symmetric_product_of(how, alpha, a, b, c, d, out);
}

void product(const arithmetic<float>& how, double alpha, matrix<const float> a, matrix<const float> b,
             addend<float> c, matrix<float> out) noexcept {
  product_of(how, alpha, a, b, c, out);
}
void product(const arithmetic<double>& how, double alpha, matrix<const double> a, matrix<const double> b,
             addend<double> c, matrix<double> out) noexcept {
  product_of(how, alpha, a, b, c, out);
}

bool tiles() noexcept { return amx::available(); }

std::string backend() {
  return std::string(native::name()) + (amx::available() ? ", bfloat16 by AMX" : "");
}

one_thread::one_thread() noexcept { native::begin_one_thread(); }
one_thread::~one_thread() { native::end_one_thread(); }

}  // namespace thalweg::linear_algebra
