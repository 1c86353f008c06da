// scale_by_kl_shampoo: a preconditioner for each side of a matrix, each measured where the other has made the gradients white.
#pragma once

#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/concepts.hpp>
#include <thalweg/orthogonalization/eigenbasis.hpp>

namespace thalweg {

/// What divides the rotated momentum.
enum class kl_method {
  shampoo,  ///< the roots of the two sides' eigenvalues
  soap      ///< the root of each element's own second moment, as Adam's
};

constexpr std::string_view to_text(kl_method m) { return m == kl_method::shampoo ? "shampoo" : "soap"; }

namespace detail {
/// One row-major matrix with its moments and sides. A side without a basis is null, and so is `second` of KL-Shampoo.
template <class T>
struct kl_matrix {
  T *update, *first, *second, *left, *right, *left_basis, *right_basis, *left_values, *right_values;
  std::size_t rows, cols;
};
struct kl_step {
  double beta1, beta2, epsilon, preconditioner_beta, initial;
  long longest;
  bool begins, refreshes;
};
/// `scratch` holds 2·rows·cols numbers.
void kl_shampoo(const kl_matrix<float>& m, const kl_step& step, std::span<float> scratch) noexcept;
void kl_shampoo(const kl_matrix<double>& m, const kl_step& step, std::span<double> scratch) noexcept;
}  // namespace detail

/// L ← β_p·L + (1-β_p)·u·R⁻¹·uᵀ/n,  R ← β_p·R + (1-β_p)·uᵀ·L⁻¹·u/m,  m ← β₁·m + (1-β₁)·u,
/// update Qₗ·[(Qₗᵀ·m·Qᵣ)_ij/(√(a_i·b_j) + ε)]·Qᵣᵀ  for the eigenvectors Q and eigenvalues a, b of L and R
///
/// | field               | default | source                                                                          |
/// |---------------------|---------|---------------------------------------------------------------------------------|
/// | method              | shampoo | KL-Shampoo, Lin et al., arXiv 2509.03378; KL-SOAP is `soap`, with √v in √(a_i·b_j)'s place |
/// | beta1               | 0.9     | the authors' code (yorkerlin/KL-Methods)                                        |
/// | beta2               | 0.98    | the same: of v ← β₂·v + (1-β₂)·(Qₗᵀ·u·Qᵣ)², for `soap`                            |
/// | preconditioner_beta | 0.98    | the same                                                                        |
/// | epsilon             | 1e-8    | the same                                                                        |
/// | period              | 10      | the same: steps between two turns of the bases                                  |
/// | initial             | 0.1     | the same: the first eigenvalues                                                 |
/// | longest             | 4000    | the same: 1/√a is no more than the side's length, from 10 to `longest`           |
/// | sides               | both    | `shorter`: the shorter side alone; the rows of a square matrix                  |
///
/// The eigenvalues move at every step, in the bases as they are: a_i ← β_p·a_i + (1-β_p)·mean_j (Qₗᵀ·u·Qᵣ)_ij²/b_j, and b alike
/// with the old a. The update takes them as they were before. The bases turn as those of `scale_by_soap`: each turn sorts them by
/// the eigenvalues, the largest first, which the authors do not. The
/// first step computes L, R and Q, with R⁻¹ and L⁻¹ the identity, and its update is zero. No bias is corrected. Steps are about
/// as long as Adam's, without grafting.
///
/// Tensor-wise; filters are viewed as (first, rest). As with `scale_by_soap`, bases of both sides are in part arbitrary while
/// there are fewer gradients than the longer side needs for full rank. State: `first_moment`; of each side with a basis
/// `left`, `left_basis`, `left_values`, `right`, `right_basis`, `right_values`; `second_moment` of `soap`. Throws at binding
/// where a parameter has fewer than two dimensions.
///
///     auto c = route(when(hidden_matrix, scale_by_kl_shampoo{}), otherwise(scale_by_adam{})) | apply_update{};
struct scale_by_kl_shampoo {
  kl_method method = kl_method::shampoo;
  double beta1 = 0.9;
  double beta2 = 0.98;
  double preconditioner_beta = 0.98;
  double epsilon = 1e-8;
  long period = 10;
  double initial = 0.1;
  long longest = 4000;
  soap_sides sides = soap_sides::both;
  static constexpr const char* elsewhere[] = {"kl_shampoo", "kl_soap"};
  static constexpr auto fields =
      list{field{"method", &scale_by_kl_shampoo::method},
           field{"beta1", &scale_by_kl_shampoo::beta1, from(0).below(1)},
           field{"beta2", &scale_by_kl_shampoo::beta2, from(0).below(1)},
           field{"preconditioner_beta", &scale_by_kl_shampoo::preconditioner_beta, from(0).below(1)},
           field{"epsilon", &scale_by_kl_shampoo::epsilon, root_epsilon},
           field{"period", &scale_by_kl_shampoo::period, from(1)},
           field{"initial", &scale_by_kl_shampoo::initial, positive},
           field{"longest", &scale_by_kl_shampoo::longest, from(10)},
           field{"sides", &scale_by_kl_shampoo::sides}};

  [[nodiscard]] std::vector<std::size_t> left(const parameter_info& p) const { return square(left_side(sides, p)); }
  [[nodiscard]] std::vector<std::size_t> right(const parameter_info& p) const { return square(right_side(sides, p)); }
  [[nodiscard]] std::vector<std::size_t> left_values(const parameter_info& p) const { return {left_side(sides, p)}; }
  [[nodiscard]] std::vector<std::size_t> right_values(const parameter_info& p) const { return {right_side(sides, p)}; }
  [[nodiscard]] std::vector<std::size_t> second(const parameter_info& p) const {
    return method == kl_method::soap ? p.shape : std::vector<std::size_t>{0};
  }
  using states =
      state<zeros<"first_moment">, shaped<"second_moment", &scale_by_kl_shampoo::second>,
            shaped<"left", &scale_by_kl_shampoo::left>, shaped<"right", &scale_by_kl_shampoo::right>,
            shaped<"left_basis", &scale_by_kl_shampoo::left>, shaped<"right_basis", &scale_by_kl_shampoo::right>,
            shaped<"left_values", &scale_by_kl_shampoo::left_values>, shaped<"right_values", &scale_by_kl_shampoo::right_values>>;

  void check(const parameter_info& p) const { check_has_sides("scale_by_kl_shampoo", p); }

  [[nodiscard]] static std::size_t scratch(const parameter_info& p) { return 2 * p.size(); }

  template <class T>
  void apply(const context& c, tensor<T> u, std::span<T> scratch, tensor<T> first, tensor<T> second, tensor<T> left, tensor<T> right,
             tensor<T> left_basis, tensor<T> right_basis, tensor<T> left_values, tensor<T> right_values) const noexcept {
    const auto some = [](const tensor<T>& t) { return t.size() ? t.data : nullptr; };
    detail::kl_matrix<T> m{u.data,           first.data,        some(second),      some(left),         some(right), some(left_basis),
                           some(right_basis), some(left_values), some(right_values), u.rows(), u.cols()};
    if (u.order == storage_order::column_major) {  // the transposed matrix, whose sides are the other way round
      std::swap(m.left, m.right);
      std::swap(m.left_basis, m.right_basis);
      std::swap(m.left_values, m.right_values);
      std::swap(m.rows, m.cols);
    }
    detail::kl_shampoo(m,
                       {.beta1 = beta1, .beta2 = beta2, .epsilon = epsilon, .preconditioner_beta = preconditioner_beta,
                        .initial = initial, .longest = longest, .begins = c.step == 1, .refreshes = (c.step - 1) % period == 0},
                       scratch);
  }

private:
  static std::vector<std::size_t> square(std::size_t n) { return {n, n}; }
};

}  // namespace thalweg
