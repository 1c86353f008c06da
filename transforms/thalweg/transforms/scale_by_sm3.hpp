// scale_by_sm3: AdaGrad with one number per row and one per column.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// v_ij = min(r_i, c_j) + u_ij²,  r_i ← max_j(v_ij),  c_j ← max_i(v_ij),  update u_ij/(√v_ij + ε)
///
/// | field   | default | source                                                        |
/// |---------|---------|---------------------------------------------------------------|
/// | epsilon | 1e-8    | ours; SM3-II, Anil et al., arXiv 1901.11150, defines 0/0 as 0 |
///
/// Tensor-wise; filters are (first, rest) matrices. For a vector this is AdaGrad. State: `rows`, `columns`, from zero:
/// the roots of r and c, m + n numbers for a matrix of m × n.
///
///     auto sm3 = scale_by_sm3{} | ema{} | apply_update{};
struct scale_by_sm3 {
  double epsilon = 1e-8;
  static constexpr const char* elsewhere[] = {"sm3"};
  static constexpr auto fields = list{field{"epsilon", &scale_by_sm3::epsilon, root_epsilon}};

  using states = state<rows<"rows">, columns<"columns">>;

  void check(const parameter_info& p) const { check_is_no_stack("scale_by_sm3", p); }
  [[nodiscard]] std::size_t scratch(const parameter_info& p) const { return p.cols(); }
  template <class T>
  void apply(const context&, tensor<T> update, std::span<T> greatest, tensor<T> of_rows, tensor<T> of_columns) const noexcept {
    const auto u = update.matrix();
    const auto larger = [](T a, T b) { return a < b || b != b ? b : a; };  // a NaN stays
    std::fill_n(greatest.begin(), u.cols, T(0));
    for (std::size_t i = 0; i < u.rows; ++i) {
      T of_row = 0;
      for (std::size_t j = 0; j < u.cols; ++j) {
        const double before = static_cast<double>(min(of_rows.data[i], of_columns.data[j]));
        const double x = static_cast<double>(u(i, j)), root = sqrt(before * before + x * x);
        u(i, j) = static_cast<T>(x / (root + epsilon));
        of_row = larger(of_row, saturated<T>(root));
        greatest[j] = larger(greatest[j], saturated<T>(root));
      }
      of_rows.data[i] = of_row;
    }
    std::copy_n(greatest.begin(), u.cols, of_columns.data);
  }
};

}  // namespace thalweg
