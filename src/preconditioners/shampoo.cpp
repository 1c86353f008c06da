#include <thalweg/transforms/scale_by_shampoo.hpp>

#include "decompositions.hpp"
#include "products.hpp"

namespace thalweg::detail {

namespace {

// In double: the smallest eigenvalues become the largest of the inverse root.
template <class T>
void inverse_fourth_root(const matrix<T>& of, double epsilon, matrix<T> root) {
  if (!of.allFinite()) {
    root.setConstant(std::numeric_limits<T>::quiet_NaN());
    return;
  }
  auto decomposition = eigen_decomposition_of(of.template cast<double>());
  decomposition.values = (decomposition.values.array().max(0) + epsilon).pow(-0.25);
  root = composed(decomposition).template cast<T>();
}

template <class T>
void precondition(const shampoo_matrix<T>& m, double beta, double epsilon, bool refreshes, std::span<T> scratch) {
  const linear_algebra::one_thread alone;
  auto u = map(m.update, m.rows, m.cols), product = map(scratch.data(), m.rows, m.cols);
  auto left = map(m.left, m.rows, m.rows), right = map(m.right, m.cols, m.cols);
  auto left_root = map(m.left_root, m.rows, m.rows), right_root = map(m.right_root, m.cols, m.cols);
  hold_products_finite(u);
  left *= static_cast<T>(beta);
  add_product(u, u.transpose(), left);
  right *= static_cast<T>(beta);
  add_product(u.transpose(), u, right);
  if (refreshes) {
    inverse_fourth_root(left, epsilon, left_root);
    inverse_fourth_root(right, epsilon, right_root);
  }
  multiply(left_root, u, product);
  multiply(product, right_root, u);
}

}  // namespace

void shampoo(const shampoo_matrix<float>& m, double beta, double epsilon, bool refreshes,
             std::span<float> scratch) noexcept {
  precondition(m, beta, epsilon, refreshes, scratch);
}
void shampoo(const shampoo_matrix<double>& m, double beta, double epsilon, bool refreshes,
             std::span<double> scratch) noexcept {
  precondition(m, beta, epsilon, refreshes, scratch);
}

}  // namespace thalweg::detail
