// The iteration that makes a matrix orthogonal: compiled in the library.
#pragma once

#include <cstddef>
#include <span>

#include <thalweg/core/parameter.hpp>
#include <thalweg/orthogonalization/coefficient_set.hpp>
#include <thalweg/orthogonalization/precision.hpp>

namespace thalweg::detail {

/// The iteration itself, in place, on a matrix that lies in memory as `order` says; it is scaled at the end.
struct newton_schulz {
  const coefficient_set& coefficients;
  long steps;
  double epsilon;
  thalweg::precision precision;

  [[nodiscard]] std::size_t scratch(std::size_t rows, std::size_t cols) const;  // numbers
  void operator()(float* matrix, std::size_t rows, std::size_t cols, storage_order order,
                  double scale, std::span<float> scratch) const noexcept;
  void operator()(double* matrix, std::size_t rows, std::size_t cols, storage_order order,
                  double scale, std::span<double> scratch) const noexcept;
};

}  // namespace thalweg::detail
