// decorrelate_rows: MUD's step, a triangular approximation of the nearest orthogonal matrix.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <thalweg/core/concepts.hpp>
#include <thalweg/orthogonalization/decorrelation.hpp>
#include <thalweg/orthogonalization/scale_rule.hpp>

namespace thalweg {

/// Q = u with rows of length 1; `passes` times T = tril(Q·Qᵀ), Q ← T⁻¹·Q, rows of length 1 again; update scale·Q
///
/// | field  | default        | source                                                              |
/// |--------|----------------|---------------------------------------------------------------------|
/// | passes | 1              | MUD (MomentUm Decorrelation), Southworth & Thomas, arXiv 2603.17970 |
/// | scale  | match_rms{0.2} | the same; `nuclear_norm` is refused                                 |
///
/// Tall matrices are transposed first; filters are (first, rest) matrices. A pass costs a Gram matrix and a triangular
/// solution, by the paper a twelfth of five Newton–Schulz steps. Orthonormal rows do not change.
///
/// * A row of zeros stays zero. A row that is a combination of the rows above it, up to rounding, becomes zero.
/// * The paper adds a small ε to the rows' lengths. thalweg does not: 1e-30·u gives the same update as u.
/// * One NaN or infinity makes its row and all rows below NaN.
///
/// Throws at binding if a parameter has fewer than two dimensions.
///
///     auto mud = nesterov_momentum{.beta = 0.95} | decorrelate_rows{} | apply_update{};
struct decorrelate_rows {
  long passes = 1;
  scale_rule scale = match_rms{0.2};
  static constexpr const char* elsewhere[] = {"mud"};
  static constexpr auto fields = list{field{"passes", &decorrelate_rows::passes, from(1).to(100)},
                                      field{"scale", &decorrelate_rows::scale}};

  void check(const parameter_info& p) const {
    check_has_sides("decorrelate_rows", p);
    check_is_of_shape("decorrelate_rows", scale);
  }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const {
    const std::size_t shorter = std::min(p.rows(), p.cols());
    return p.size() + shorter * shorter;
  }

  template <class T>
  void apply(const context&, tensor<T> update, std::span<T> scratch) const noexcept {
    const auto u = update.matrix();
    const bool wide = u.rows <= u.cols;
    const std::size_t rows = wide ? u.rows : u.cols, cols = wide ? u.cols : u.rows;
    const auto at = [&](std::size_t i, std::size_t j) -> T& { return wide ? u(i, j) : u(j, i); };
    T* const copy = scratch.data();
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) copy[i * cols + j] = at(i, j);
    detail::decorrelation{passes}(copy, rows, cols, copy + rows * cols);
    const T by = static_cast<T>(factor(scale, u.rows, u.cols));
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) at(i, j) = by * copy[i * cols + j];
  }
};

}  // namespace thalweg
