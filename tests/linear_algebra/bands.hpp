// Where Newton–Schulz's coefficients bring singular values: measured over twenty Gaussian matrices of each shape. Jordan
// states 0.7 to 1.2 for his.
#pragma once

#include <cmath>
#include <cstddef>
#include <random>
#include <utility>
#include <vector>

#include <thalweg/transforms/orthogonalize_update.hpp>

namespace test {

inline std::vector<double> gaussian(std::size_t n, unsigned seed, double scale = 1) {
  std::mt19937 bits(seed);
  const auto uniform = [&] { return (static_cast<double>(bits()) + 0.5) / 4294967296.0; };
  std::vector<double> values(n);
  for (double& x : values) x = scale * std::sqrt(-2 * std::log(uniform())) * std::cos(6.283185307179586 * uniform());
  return values;
}

/// A square matrix's smallest singular values stay below the band: five steps multiply them by 300 to 1000, as the set
/// may be, and no more.
struct band {
  thalweg::coefficient_set set;
  double low, high, high_for_squares;

  [[nodiscard]] double lowest(std::size_t rows, std::size_t cols, thalweg::precision p) const {
    const double shorter = p == thalweg::precision::float32 ? 1 : std::pow(set.margin, set.count - 1);
    return (nearly_square(rows, cols) ? 0 : low / shorter) - rounding(p);
  }
  [[nodiscard]] double highest(std::size_t rows, std::size_t cols, thalweg::precision p) const {
    return (nearly_square(rows, cols) ? high_for_squares : high) + rounding(p);
  }
  static double rounding(thalweg::precision p) {
    return p == thalweg::precision::float32 ? 0 : p == thalweg::precision::float16 ? 0.005 : 0.03;
  }
  static bool nearly_square(std::size_t rows, std::size_t cols) { return rows + 1 >= cols && cols + 1 >= rows; }
};

inline constexpr band bands[] = {{thalweg::jordan, 0.68, 1.14, 1.21},
                                 {thalweg::polar_express, 0.87, 1.13, 1.13},
                                 {thalweg::heavyball, 0.97, 1.04, 1.15},
                                 {thalweg::cans, 0.88, 1.13, 1.13},
                                 {thalweg::turbo_muon, 0.98, 1.00, 1.09}};
inline constexpr std::pair<std::size_t, std::size_t> shapes_of_bands[] = {{32, 128}, {128, 32}, {48, 64},
                                                                          {64, 64},  {16, 17},  {1, 50}};

}  // namespace test
