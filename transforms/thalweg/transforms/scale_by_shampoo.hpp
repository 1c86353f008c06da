// scale_by_shampoo: a preconditioner for each side of a matrix.
#pragma once

#include <span>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

namespace detail {
/// One row-major matrix and its two sides, of rows × rows and cols × cols.
template <class T>
struct shampoo_matrix {
  T *update, *left, *right, *left_root, *right_root;
  std::size_t rows, cols;
};
/// `scratch` holds rows·cols numbers; the roots are computed anew where `refreshes`.
void shampoo(const shampoo_matrix<float>& m, double beta, double epsilon, bool refreshes,
             std::span<float> scratch) noexcept;
void shampoo(const shampoo_matrix<double>& m, double beta, double epsilon, bool refreshes,
             std::span<double> scratch) noexcept;
}  // namespace detail

/// L ← β·L + u·uᵀ,  R ← β·R + uᵀ·u,  update (L + ε)^(-1/4)·u·(R + ε)^(-1/4)
///
/// | field   | default | source                                                                         |
/// |---------|---------|--------------------------------------------------------------------------------|
/// | beta    | 1       | Gupta et al., arXiv 1802.09568: a sum                                          |
/// | epsilon | 1e-4    | pytorch_optimizer's Shampoo; the paper starts L and R at ε                     |
/// | period  | 1       | steps between computations of the roots, the largest cost; the paper has none |
///
/// Tensor-wise; filters are (first, rest) matrices. The paper preconditions each of their dimensions. The update has no
/// fixed length; `parallel(grafting{}, …)` gives it Adam's length. State: `left`, `right`, `left_root`, `right_root`,
/// from zero: 2·(m² + n²) numbers for a matrix of m × n. Throws at binding if a parameter has fewer than two
/// dimensions.
///
///     auto c = parallel(grafting{}, scale_by_adam{}, scale_by_shampoo{.period = 10});
struct scale_by_shampoo {
  double beta = 1;
  double epsilon = 1e-4;
  long period = 1;
  static constexpr auto fields = list{field{"beta", &scale_by_shampoo::beta, above(0).to(1)},
                                      field{"epsilon", &scale_by_shampoo::epsilon, square_epsilon},
                                      field{"period", &scale_by_shampoo::period, from(1)}};

  using states = state<rows_by_rows<"left">, columns_by_columns<"right">, rows_by_rows<"left_root">,
                       columns_by_columns<"right_root">>;

  void check(const parameter_info& p) const { check_has_sides("scale_by_shampoo", p); }

  [[nodiscard]] static std::size_t scratch(const parameter_info& p) { return p.size(); }

  template <class T>
  void apply(const context& c, tensor<T> u, std::span<T> scratch, tensor<T> left, tensor<T> right, tensor<T> left_root,
             tensor<T> right_root) const noexcept {
    detail::shampoo_matrix<T> m{u.data, left.data, right.data, left_root.data, right_root.data, u.rows(), u.cols()};
    if (u.order == storage_order::column_major)  // the transposed matrix, whose sides are the other way round
      m = {u.data, right.data, left.data, right_root.data, left_root.data, u.cols(), u.rows()};
    detail::shampoo(m, beta, epsilon, (c.step - 1) % period == 0, scratch);
  }
};

}  // namespace thalweg
