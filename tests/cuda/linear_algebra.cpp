// Products through cuBLAS, and the numbers that they are made of.
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <type_traits>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/cuda/linear_algebra.hpp>

using namespace thalweg;
using cuda::bf16;
using cuda::fp16;
using cuda::matrices;

namespace {

template <class T>
cuda::device_array<T> on_device(const std::vector<T>& values) {
  cuda::device_array<T> out(values.size());
  cuda::copy(values.data(), values.size(), out.data(), nullptr);
  return out;
}
template <class T>
std::vector<T> on_host(const cuda::device_array<T>& values) {
  std::vector<T> out(values.size());
  cuda::copy(values.data(), values.size(), out.data(), nullptr);
  cuda::synchronize(nullptr);
  return out;
}

// Small whole numbers, which every type holds and every order of a sum adds to the same.
template <class T>
std::vector<T> whole_numbers(std::size_t n, unsigned seed) {
  std::mt19937 bits(seed);
  std::vector<T> out(n);
  for (T& x : out) x = T(static_cast<float>(bits() % 9) - 4);
  return out;
}

template <class Factor, class Sum>
void agrees(bool a_transposed, bool b_transposed, double alpha, double beta) {
  constexpr std::size_t m = 5, n = 7, k = 3, count = 2, spare = 2, gap = 4;
  const auto shaped = [](auto* data, std::size_t rows, std::size_t cols, bool transposed) {
    if (transposed) std::swap(rows, cols);
    return matrices<std::remove_reference_t<decltype(*data)>>{data, rows, cols, rows + spare,
                                                              (rows + spare) * cols + gap, count, transposed};
  };
  const auto a_values = whole_numbers<Factor>(200, 1), b_values = whole_numbers<Factor>(200, 2);
  const auto c_values = whole_numbers<Sum>(200, 3);
  const auto a = on_device(a_values), b = on_device(b_values);
  const auto c = on_device(c_values);
  const cuda::cublas handle(nullptr);
  const auto out = shaped(c.data(), m, n, false);
  handle.product(alpha, shaped(a.data(), m, k, a_transposed), shaped(b.data(), k, n, b_transposed), beta, out);

  std::vector<Sum> expected = c_values;
  const auto at = [](const auto& view, std::size_t matrix, std::size_t row, std::size_t col) {
    return matrix * view.stride + (view.transposed ? row * view.leading + col : col * view.leading + row);
  };
  const auto a_view = shaped(a_values.data(), m, k, a_transposed);
  const auto b_view = shaped(b_values.data(), k, n, b_transposed);
  for (std::size_t matrix = 0; matrix < count; ++matrix)
    for (std::size_t i = 0; i < m; ++i)
      for (std::size_t j = 0; j < n; ++j) {
        double sum = 0;
        for (std::size_t l = 0; l < k; ++l)
          sum += static_cast<double>(static_cast<Sum>(a_values[at(a_view, matrix, i, l)])) *
                 static_cast<double>(static_cast<Sum>(b_values[at(b_view, matrix, l, j)]));
        Sum& e = expected[at(out, matrix, i, j)];
        e = static_cast<Sum>(alpha * sum + beta * static_cast<double>(e));
      }
  CHECK(on_host(c) == expected);  // what lies between the columns and behind the matrices as well
}

}  // namespace

TEST_CASE("cuda: a product of many matrices, transposed or not, in every type") {
  for (const bool a : {false, true})
    for (const bool b : {false, true})
      for (const auto& [alpha, beta] : {std::pair(1.0, 0.0), std::pair(-2.0, 1.0), std::pair(0.5, 3.0)}) {
        agrees<float, float>(a, b, alpha, beta);
        agrees<double, double>(a, b, alpha, beta);
        agrees<bf16, float>(a, b, alpha, beta);
        agrees<fp16, float>(a, b, alpha, beta);
      }
}

TEST_CASE("cuda: a part of matrices, and of their transposes") {
  float numbers[60];
  const matrices<float> m{numbers, 4, 5, 6, 30, 2};
  const auto p = m.part(1, 2, 3, 2);
  CHECK(p.data == numbers + 2 * 6 + 1);
  CHECK(p.height() == 3);
  CHECK(p.width() == 2);
  const auto t = m.transpose().part(2, 1, 2, 3);
  CHECK(t.data == p.data);
  CHECK(t.height() == 2);
  CHECK(t.width() == 3);
}

TEST_CASE("cuda: a product that cuBLAS refuses says so") {
  const cuda::cublas handle(nullptr);
  CHECK(handle.name().starts_with("cuBLAS 1"));
  const cuda::device_array<float> memory(100);
  const matrices<float> m{memory.data(), 4, 4, 3, 16, 1};
  CHECK_THROWS_WITH_AS(handle.product(1, m, m, 0, matrices<float>{memory.data() + 50, 4, 4, 4, 16, 1}),
                       doctest::Contains("[cuda] Expected a product of matrices. Received CUBLAS_STATUS_INVALID_VALUE"),
                       error);
}

TEST_CASE("cuda: bf16 is the nearest one, and of two the even one") {
  constexpr float next = 1 + 0x1p-7f;  // the bf16 behind 1
  static_assert(float(bf16(1)) == 1 && float(bf16(-0x1p-130f)) == -0x1p-130f);
  static_assert(float(bf16(1 + 0x1p-8f)) == 1);          // midway: to the even one
  static_assert(float(bf16(next + 0x1p-8f)) == 1 + 0x1p-6f);
  static_assert(float(bf16(1 + 0x1.01p-8f)) == next);
  CHECK(std::isinf(float(bf16(std::numeric_limits<float>::max()))));
  CHECK(std::isinf(float(bf16(std::numeric_limits<float>::infinity()))));
  for (const std::uint32_t nan : {0x7f800001u, 0x7fffffffu, 0xffffffffu, 0x7fc00000u})
    CHECK(std::isnan(float(bf16(std::bit_cast<float>(nan)))));
  for (std::uint32_t upper = 0; upper < 0x7f80; ++upper)
    CHECK(bf16(std::bit_cast<float>(upper << 16)).bits == upper);
}

TEST_CASE("cuda: fp16 is the nearest one, and of two the even one") {
  const auto of_bits = [](std::uint32_t bits) {
    fp16 h;
    h.bits = static_cast<std::uint16_t>(bits);
    return float(h);
  };
  static_assert(float(fp16(1)) == 1 && float(fp16(-65504)) == -65504 && float(fp16(-0x1p-24f)) == -0x1p-24f);
  static_assert(float(fp16(65519.9f)) == 65504 && float(fp16(65520)) == std::numeric_limits<float>::infinity());
  static_assert(float(fp16(0x1p-25f)) == 0 && float(fp16(0x1.01p-25f)) == 0x1p-24f);
  static_assert(std::bit_cast<std::uint32_t>(float(fp16(-0.0f))) == 0x80000000u);
  for (const float x : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::max()}) {
    CHECK(float(fp16(x)) == std::numeric_limits<float>::infinity());
    CHECK(float(fp16(-x)) == -std::numeric_limits<float>::infinity());
  }
  for (const std::uint32_t nan : {0x7f800001u, 0x7fffffffu, 0xffffffffu, 0x7fc00000u})
    CHECK(std::isnan(float(fp16(std::bit_cast<float>(nan)))));
  CHECK(std::isnan(of_bits(0x7c01)));
  bool as_the_standard_says = true, nearest = true;
  for (std::uint32_t bits = 0; bits < 0x7c00; ++bits) {
    const int exponent = static_cast<int>(bits >> 10), digits = static_cast<int>(bits & 1023);
    const float x = std::ldexp(static_cast<float>(exponent ? digits + 1024 : digits), (exponent ? exponent : 1) - 25);
    as_the_standard_says = as_the_standard_says && of_bits(bits) == x && of_bits(bits | 0x8000) == -x;
    if (bits == 0x7bff) continue;
    const float next = of_bits(bits + 1), midway = (x + next) / 2;
    const auto becomes = [](float value, std::uint32_t expected) {
      return fp16(value).bits == expected && fp16(-value).bits == (expected | 0x8000);
    };
    nearest = nearest && becomes(x, bits) && becomes(midway, bits + bits % 2) &&
              becomes(std::nextafter(midway, 0.0f), bits) && becomes(std::nextafter(midway, next), bits + 1);
  }
  CHECK(as_the_standard_says);
  CHECK(nearest);
}
