// scale_by_soap: Adam in the eigenbasis of Shampoo's preconditioners.
#pragma once

#include <span>
#include <utility>
#include <vector>

#include <thalweg/core/concepts.hpp>
#include <thalweg/orthogonalization/eigenbasis.hpp>

namespace thalweg {

namespace detail {
/// One row-major matrix with its moments and sides; a side without a basis is null.
template <class T>
struct soap_matrix {
  T *update, *first, *second, *left, *right, *left_basis, *right_basis;
  std::size_t rows, cols;
};
struct soap_step {
  double beta1, beta2, epsilon, preconditioner_beta;
  bool begins, refreshes;
  double correction;  ///< √(1-β₂ᵏ)/(1-β₁ᵏ)
};
/// `scratch` holds 2·rows·cols numbers.
void soap(const soap_matrix<float>& m, const soap_step& step, std::span<float> scratch) noexcept;
void soap(const soap_matrix<double>& m, const soap_step& step, std::span<double> scratch) noexcept;
}  // namespace detail

/// L ← β_p·L + (1-β_p)·u·uᵀ,  R ← β_p·R + (1-β_p)·uᵀ·u,  m ← β₁·m + (1-β₁)·u,
/// v ← β₂·v + (1-β₂)·(Qₗᵀ·u·Qᵣ)²,  update √(1-β₂ᵏ)/(1-β₁ᵏ) · Qₗ·[Qₗᵀ·m·Qᵣ/(√v + ε)]·Qᵣᵀ,  k = t - 1
///
/// | field               | default | source                                                             |
/// |---------------------|---------|--------------------------------------------------------------------|
/// | beta1               | 0.95    | SOAP, Vyas et al., arXiv 2409.11321                                |
/// | beta2               | 0.95    | the same                                                           |
/// | epsilon             | 1e-8    | the same                                                           |
/// | preconditioner_beta | 0.95    | the authors' code: β₂                                              |
/// | period              | 10      | the same                                                           |
/// | sides               | both    | the paper's one-sided variant is `shorter`                         |
///
/// The columns of Q are the eigenvectors of L and R. The first step computes them, and its update is zero. Every
/// `period` steps, after the update, one step of orthogonal iteration updates them: Q ← QR(L·Q). It sorts the columns
/// of Q and of v by the diagonal of QᵀLQ, largest first.
///
/// Tensor-wise; filters are (first, rest) matrices. In early steps there are too few gradients for full rank on the
/// longer side. Some of its eigenvectors are then arbitrary, and with `both` so are the steps: float and double, or two
/// machines, may give different steps. State: `first_moment`, `second_moment` and, of each side with a basis, `left`,
/// `left_basis`, `right`, `right_basis`: 2·(mn + m² + n²) numbers for a matrix of m × n. Throws at binding if a
/// parameter has fewer than two dimensions.
///
///     auto soap = route(when(hidden_matrix, scale_by_soap{}), otherwise(scale_by_adam{})) | apply_update{};
struct scale_by_soap {
  double beta1 = 0.95;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  double preconditioner_beta = 0.95;
  long period = 10;
  soap_sides sides = soap_sides::both;
  static constexpr auto fields =
      list{field{"beta1", &scale_by_soap::beta1, from(0).below(1)},
           field{"beta2", &scale_by_soap::beta2, from(0).below(1)},
           field{"epsilon", &scale_by_soap::epsilon, root_epsilon},
           field{"preconditioner_beta", &scale_by_soap::preconditioner_beta, from(0).below(1)},
           field{"period", &scale_by_soap::period, from(1)}, field{"sides", &scale_by_soap::sides}};

  [[nodiscard]] std::vector<std::size_t> left(const parameter_info& p) const { return square(left_side(sides, p)); }
  [[nodiscard]] std::vector<std::size_t> right(const parameter_info& p) const { return square(right_side(sides, p)); }
  using states = state<zeros<"first_moment">, zeros<"second_moment">, shaped<"left", &scale_by_soap::left>,
                       shaped<"right", &scale_by_soap::right>, shaped<"left_basis", &scale_by_soap::left>,
                       shaped<"right_basis", &scale_by_soap::right>>;

  void check(const parameter_info& p) const { check_has_sides("scale_by_soap", p); }

  [[nodiscard]] static std::size_t scratch(const parameter_info& p) { return 2 * p.size(); }

  template <class T>
  void apply(const context& c, tensor<T> u, std::span<T> scratch, tensor<T> first, tensor<T> second, tensor<T> left,
             tensor<T> right, tensor<T> left_basis, tensor<T> right_basis) const noexcept {
    const auto side = [](const tensor<T>& t) { return t.size() ? t.data : nullptr; };
    detail::soap_matrix<T> m{u.data,      first.data,       second.data,       side(left), side(right),
                             side(left_basis), side(right_basis), u.rows(), u.cols()};
    if (u.order == storage_order::column_major) {  // the transposed matrix, whose sides are the other way round
      std::swap(m.left, m.right);
      std::swap(m.left_basis, m.right_basis);
      std::swap(m.rows, m.cols);
    }
    const double k = static_cast<double>(c.step - 1);
    detail::soap(m,
                 {.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .preconditioner_beta = preconditioner_beta,
                  .begins = c.step == 1, .refreshes = (c.step - 1) % period == 0,
                  .correction = sqrt(one_minus_pow(beta2, k)) / one_minus_pow(beta1, k)},
                 scratch);
  }

private:
  static std::vector<std::size_t> square(std::size_t n) { return {n, n}; }
};

}  // namespace thalweg
