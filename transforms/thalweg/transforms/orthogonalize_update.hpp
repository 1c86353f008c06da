// orthogonalize_update: Muon's step, the nearest semi-orthogonal matrix to the update.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <variant>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/linear_algebra.hpp>
#include <thalweg/orthogonalization/newton_schulz.hpp>
#include <thalweg/orthogonalization/scale_rule.hpp>

namespace thalweg {

/// update scale·UVᵀ for u = UΣVᵀ, approximately: X = u/(‖u‖ + ε), then `steps` Newton–Schulz steps
///
/// Filters of more than two dimensions are (first, rest) matrices; tall matrices are transposed for the iteration.
/// If it is cheaper, several steps run on the Gram matrix of the short side before X is computed again. Large products
/// may run on several threads.
///
/// * A zero matrix stays zero.
/// * A matrix of rank one, such as a row or a column, keeps its direction. Its singular value becomes the value that
///   the steps give for 1.
/// * If ‖u‖_F is not much larger than ε, the result is shorter. For a matrix M of order one, 1e-30·M gives almost zero,
///   and 1e30·M gives the same as M. With ε = 0 both give the same as M.
/// * ε is added to the Frobenius norm, for each `norm`.
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
/// | norm         | frobenius  | Muon                                             |
///
/// Throws at binding if a parameter has fewer than two dimensions, or if the set of coefficients needs more steps.
///
///     auto muon = nesterov_ema{} | orthogonalize_update{.scale = match_rms{0.2}, .coefficients = polar_express};
struct orthogonalize_update {
  scale_rule scale = spectral{};
  coefficient_set coefficients = jordan;
  long steps = 5;
  double epsilon = 1e-7;
  thalweg::precision precision = thalweg::precision::float32;
  thalweg::norm norm = thalweg::norm::frobenius;
  static constexpr const char* elsewhere[] = {"newton_schulz"};
  static constexpr auto fields = list{field{"scale", &orthogonalize_update::scale},
                                      field{"coefficients", &orthogonalize_update::coefficients},
                                      field{"steps", &orthogonalize_update::steps, from(1).to(100)},
                                      field{"epsilon", &orthogonalize_update::epsilon, from(0).below(1)},
                                      field{"precision", &orthogonalize_update::precision},
                                      field{"norm", &orthogonalize_update::norm}};

  void check(const parameter_info& p) const {
    check_has_sides("orthogonalize_update", p);
    check_steps("orthogonalize_update", coefficients, steps);
  }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const {
    return (looks_at_update() ? p.size() : 0) + iteration().scratch(p.shape.front(), p.size() / p.shape.front());
  }

  [[nodiscard]] std::string computed_by() const { return linear_algebra::backend(); }

  template <class T>
  void apply(const context&, tensor<T> update, std::span<T> scratch) const noexcept {
    const std::size_t rows = update.rows(), cols = update.cols();
    const auto before = scratch.first(looks_at_update() ? update.size() : 0);
    std::copy_n(update.data, before.size(), before.data());
    iteration()(update.data, rows, cols, update.order, factor(scale, rows, cols), scratch.subspan(before.size()));
    if (before.empty()) return;
    double nuclear = 0;
    for (std::size_t i = 0; i < before.size(); ++i) nuclear += static_cast<double>(before[i]) * update.data[i];
    for (std::size_t i = 0; i < before.size(); ++i) update.data[i] = saturated<T>(nuclear * update.data[i]);
  }

  /// Whether the scale depends on the update, which is kept until then.
  [[nodiscard]] constexpr bool looks_at_update() const { return std::holds_alternative<nuclear_norm>(scale); }

 private:
  [[nodiscard]] detail::newton_schulz iteration() const { return {coefficients, steps, epsilon, precision, norm}; }
};

}  // namespace thalweg
