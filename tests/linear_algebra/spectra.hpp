// Matrices of known spectra, and Newton–Schulz as its formula reads, in double.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>

#include <thalweg/transforms/orthogonalize_update.hpp>

#include "dense.hpp"

inline dense noise(std::size_t rows, std::size_t cols, double scale = 1) {
  std::mt19937 bits(static_cast<unsigned>(1000 * rows + cols));
  dense m{rows, cols};
  for (double& x : m.numbers) x = scale * (static_cast<double>(bits()) * 0x1p-31 - 1);
  return m;
}

// Rank 3 and a thousandth of noise.
inline dense low_rank(std::size_t rows, std::size_t cols) {
  dense m = noise(rows, 3) * transposed(noise(cols, 3));
  const dense rest = noise(rows, cols, 1e-3);
  for (std::size_t i = 0; i < m.numbers.size(); ++i) m.numbers[i] += rest.numbers[i];
  return m;
}

// Columns (or rows) that shrink to a millionth.
inline dense ill_conditioned(std::size_t rows, std::size_t cols) {
  dense m = noise(rows, cols);
  const auto last = static_cast<double>(std::min(rows, cols)) - 1;
  for (std::size_t i = 0; i < rows; ++i)
    for (std::size_t j = 0; j < cols; ++j)
      m(i, j) *= std::pow(1e-6, static_cast<double>(rows < cols ? i : j) / std::max(last, 1.0));
  return m;
}

// x ← a·x + (b·x·xᵀ + c·(x·xᵀ)²)·x, on the short side.
inline dense newton_schulz(dense x, const thalweg::coefficient_set& set, long steps) {
  for (long i = 0; i < steps; ++i) {
    const auto [a, b, c] = set.step(static_cast<std::size_t>(i));
    const dense gram = x * transposed(x), square = gram * gram;
    dense polynomial = gram;
    for (std::size_t k = 0; k < gram.numbers.size(); ++k)
      polynomial.numbers[k] = b * gram.numbers[k] + c * square.numbers[k];
    dense next = polynomial * x;
    for (std::size_t k = 0; k < x.numbers.size(); ++k) next.numbers[k] += a * x.numbers[k];
    x = next;
  }
  return x;
}

inline double relative_difference(const dense& a, const dense& b) {
  dense d = a;
  for (std::size_t i = 0; i < d.numbers.size(); ++i) d.numbers[i] -= b.numbers[i];
  return d.norm() / b.norm();
}
