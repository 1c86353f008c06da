// The iteration that makes a matrix orthogonal: compiled in the library.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <thalweg/core/error.hpp>
#include <thalweg/core/parameter.hpp>
#include <thalweg/orthogonalization/coefficient_set.hpp>
#include <thalweg/orthogonalization/norm.hpp>
#include <thalweg/orthogonalization/precision.hpp>

namespace thalweg {

/// Refuses fewer steps than a set of coefficients needs.
inline void check_steps(std::string_view where, const coefficient_set& coefficients, long steps) {
  if (static_cast<std::size_t>(steps) < coefficients.least)
    throw error(where, "Expected steps >= ", coefficients.least, " for ", to_text(coefficients), ". Received ", steps, ".");
}

}  // namespace thalweg

namespace thalweg::detail {

/// The iteration itself, in place, on a matrix in the storage order `order`. It scales the result.
struct newton_schulz {
  const coefficient_set& coefficients;
  long steps;
  double epsilon;
  thalweg::precision precision;
  thalweg::norm norm = thalweg::norm::frobenius;

  [[nodiscard]] std::size_t scratch(std::size_t rows, std::size_t cols) const;  // numbers
  void operator()(float* matrix, std::size_t rows, std::size_t cols, storage_order order,
                  double scale, std::span<float> scratch) const noexcept;
  void operator()(double* matrix, std::size_t rows, std::size_t cols, storage_order order,
                  double scale, std::span<double> scratch) const noexcept;
};

}  // namespace thalweg::detail
