// A matrix of doubles, and products as the textbook writes them: what others are held against.
#pragma once

#include <cmath>
#include <cstddef>
#include <vector>

struct dense {
  std::size_t rows, cols;
  std::vector<double> numbers = std::vector<double>(rows * cols);

  double& operator()(std::size_t i, std::size_t j) { return numbers[i * cols + j]; }
  double operator()(std::size_t i, std::size_t j) const { return numbers[i * cols + j]; }
  [[nodiscard]] double norm() const {
    double sum = 0;
    for (const double x : numbers) sum += x * x;
    return std::sqrt(sum);
  }
};

inline dense operator*(const dense& a, const dense& b) {
  dense product{a.rows, b.cols};
  for (std::size_t i = 0; i < a.rows; ++i)
    for (std::size_t k = 0; k < a.cols; ++k)
      for (std::size_t j = 0; j < b.cols; ++j) product(i, j) += a(i, k) * b(k, j);
  return product;
}

inline dense transposed(const dense& m) {
  dense t{m.cols, m.rows};
  for (std::size_t i = 0; i < m.rows; ++i)
    for (std::size_t j = 0; j < m.cols; ++j) t(j, i) = m(i, j);
  return t;
}
