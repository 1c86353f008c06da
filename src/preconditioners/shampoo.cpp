#include <thalweg/transforms/scale_by_shampoo.hpp>

#include <Eigen/Eigenvalues>

#include "matrix.hpp"

namespace thalweg::detail {

namespace {

// In double: what is small beside the largest eigenvalue becomes what is large in the root.
template <class T>
void inverse_fourth_root(const matrix<T>& of, double epsilon, matrix<T> root) {
  if (!of.allFinite()) {  // which the solver would not survive
    root.setConstant(std::numeric_limits<T>::quiet_NaN());
    return;
  }
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(of.template cast<double>());
  const Eigen::VectorXd roots = (solver.eigenvalues().array().max(0) + epsilon).pow(-0.25);
  root = (solver.eigenvectors() * roots.asDiagonal() * solver.eigenvectors().transpose()).template cast<T>();
}

template <class T>
void precondition(const shampoo_matrix<T>& m, double beta, double epsilon, bool refreshes, std::span<T> scratch) {
  auto u = map(m.update, m.rows, m.cols), product = map(scratch.data(), m.rows, m.cols);
  auto left = map(m.left, m.rows, m.rows), right = map(m.right, m.cols, m.cols);
  auto left_root = map(m.left_root, m.rows, m.rows), right_root = map(m.right_root, m.cols, m.cols);
  hold_products_finite(u);
  left *= static_cast<T>(beta);
  left.noalias() += u * u.transpose();
  right *= static_cast<T>(beta);
  right.noalias() += u.transpose() * u;
  if (refreshes) {
    inverse_fourth_root(left, epsilon, left_root);
    inverse_fourth_root(right, epsilon, right_root);
  }
  product.noalias() = left_root * u;
  u.noalias() = product * right_root;
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
