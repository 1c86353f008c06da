// orthogonalize_update: Muon's step, the nearest semi-orthogonal matrix to the update.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/linear_algebra.hpp>
#include <thalweg/orthogonalization/newton_schulz.hpp>
#include <thalweg/orthogonalization/scale_rule.hpp>

namespace thalweg {

/// update scale·UVᵀ for u = UΣVᵀ, approximately: X = u/(‖u‖_F + ε), then `steps` Newton–Schulz steps
///
/// Filters of more than two dimensions are viewed as (first, rest); tall matrices are transposed for the iteration.
/// Where it is cheaper, several steps run on the short side's Gram matrix before X is formed anew. One thread computes a
/// matrix.
///
/// * A zero matrix stays zero.
/// * A matrix of rank one (a row or a column, for example) only changes its singular value: it becomes what the steps make
///   of 1.
/// * Where ‖u‖_F is not far above ε the result is shorter. For a matrix M of order one, 1e-30·M becomes almost zero, and
///   1e30·M becomes what M becomes.
/// * One NaN or infinity makes every element NaN. Norms beyond 1e150 (double only) are out of range.
/// * Double parameters are always computed in double. `precision` is for float.
///
/// | field        | default    | source                                           |
/// |--------------|------------|--------------------------------------------------|
/// | scale        | spectral{} | Muon (Jordan 2024); AMUSE uses match_rms{0.2}    |
/// | coefficients | jordan     | Muon                                             |
/// | steps        | 5          | Muon                                             |
/// | epsilon      | 1e-7       | Muon                                             |
/// | precision    | float32    | Muon computes in bfloat16                        |
///
/// Throws at binding where a parameter has fewer than two dimensions.
///
///     auto muon = nesterov_ema{} | orthogonalize_update{.scale = match_rms{0.2}, .coefficients = polar_express};
struct orthogonalize_update {
  scale_rule scale = spectral{};
  coefficient_set coefficients = jordan;
  long steps = 5;
  double epsilon = 1e-7;
  thalweg::precision precision = thalweg::precision::float32;
  static constexpr const char* elsewhere[] = {"newton_schulz"};
  static constexpr auto fields = list{field{"scale", &orthogonalize_update::scale},
                                      field{"coefficients", &orthogonalize_update::coefficients},
                                      field{"steps", &orthogonalize_update::steps, from(1).to(100)},
                                      field{"epsilon", &orthogonalize_update::epsilon, above(0).below(1)},
                                      field{"precision", &orthogonalize_update::precision}};

  void check(const parameter_info& p) const { check_has_sides("orthogonalize_update", p); }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const {
    return iteration().scratch(p.shape.front(), p.size() / p.shape.front());
  }

  [[nodiscard]] std::string computed_by() const { return linear_algebra::backend(); }

  template <class T>
  void apply(const context&, tensor<T> update, std::span<T> scratch) const noexcept {
    const std::size_t rows = update.rows(), cols = update.cols();
    iteration()(update.data, rows, cols, update.order, factor(scale, rows, cols), scratch);
  }

 private:
  [[nodiscard]] detail::newton_schulz iteration() const { return {coefficients, steps, epsilon, precision}; }
};

}  // namespace thalweg
