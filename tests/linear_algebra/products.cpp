// Products against loops in double: whole numbers and fractions, at sizes around the blocks that they are cut into.
#include <cmath>
#include <cstddef>
#include <random>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/core/linear_algebra.hpp>

#include "dense.hpp"

namespace {

namespace la = thalweg::linear_algebra;

dense noise(std::size_t rows, std::size_t cols, unsigned seed) {
  std::mt19937 bits(seed);
  dense m{rows, cols};
  for (double& x : m.numbers) x = static_cast<double>(static_cast<float>(bits()) * 0x1p-31f - 1);
  return m;
}

template <class T>
std::vector<T> as(const dense& m) {
  return {m.numbers.begin(), m.numbers.end()};
}

template <class T>
double furthest(const std::vector<T>& found, const dense& expected) {
  double furthest = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double apart = std::abs(static_cast<double>(found[i]) - expected.numbers[i]);
    if (!(apart <= furthest)) furthest = apart;
  }
  return furthest;
}

constexpr std::size_t sizes[][3] = {{1, 1, 1}, {2, 3, 5}, {31, 7, 33}, {64, 65, 63}, {200, 40, 210},
                                      {511, 9, 30}, {523, 40, 64}, {800, 7, 33}};

}  // namespace

TEST_CASE_TEMPLATE("products are those of the textbook", T, float, double) {
  const double within = std::is_same_v<T, float> ? 3e-5 : 1e-13;
  for (const auto& size : sizes) {
    const std::size_t rows = size[0], inner = size[1], cols = size[2];
    CAPTURE(rows);
    const dense a = noise(rows, inner, 1), b = noise(inner, cols, 2), c = noise(rows, cols, 3);
    dense expected = a * b;
    for (std::size_t i = 0; i < rows * cols; ++i) expected.numbers[i] = 0.5 * expected.numbers[i] - 2 * c.numbers[i];
    const auto left = as<T>(a), right = as<T>(b), added = as<T>(c);
    std::vector<T> out(rows * cols, T(NAN));
    la::product<T>(0.5, {left.data(), rows, inner}, {right.data(), inner, cols}, {-2, added.data()},
                   {out.data(), rows, cols});
    CHECK(furthest(out, expected) < within);
  }
}

TEST_CASE_TEMPLATE("a Gram matrix and a product of symmetric matrices are whole and symmetric", T, float, double) {
  const double within = std::is_same_v<T, float> ? 3e-4 : 1e-12;
  for (const auto& size : sizes) {
    const std::size_t n = size[0], inner = size[1];
    CAPTURE(n);
    const dense x = noise(n, inner, 4);
    const auto from = as<T>(x);
    std::vector<T> gram(n * n, T(NAN)), square(n * n, T(NAN));
    la::gram<T>({from.data(), n, inner}, {gram.data(), n, n});
    const dense expected = x * transposed(x);
    CHECK(furthest(gram, expected) < within);

    dense polynomial = expected * expected;
    for (std::size_t i = 0; i < n * n; ++i) polynomial.numbers[i] = 0.1 * polynomial.numbers[i] + expected.numbers[i];
    la::symmetric_product<T>(0.1, {gram.data(), n, n}, {gram.data(), n, n}, {0.25, gram.data()}, {0.75, gram.data()},
                             {square.data(), n, n});
    CHECK(furthest(square, polynomial) < within * static_cast<double>(n));
    // The same where the two factors are different arrays.
    const auto other = gram;
    std::vector<T> again(n * n, T(NAN));
    la::symmetric_product<T>(0.1, {gram.data(), n, n}, {other.data(), n, n}, {0.25, gram.data()}, {0.75, gram.data()},
                             {again.data(), n, n});
    CHECK(furthest(again, polynomial) < within * static_cast<double>(n));
    std::size_t differ = 0;
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < i; ++j) differ += square[i * n + j] != square[j * n + i] || again[i * n + j] != again[j * n + i];
    CHECK(differ == 0);
  }
}
