#include <thalweg/transforms/scale_by_kl_shampoo.hpp>

#include <algorithm>
#include <cmath>

#include "side.hpp"

namespace thalweg::detail {

namespace {

template <class T>
using values_of = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, 1>>;

/// A side with the eigenvalues of its preconditioner, as they are estimated in its basis.
template <class T>
struct measured_side : side<T> {
  values_of<T> values;

  measured_side(T* preconditioner, T* basis, T* data, std::size_t n)
      : side<T>(preconditioner, basis, n), values{data, data ? static_cast<Eigen::Index>(n) : 0} {}

  /// √ of eigenvalue i; 1 of a side without a basis.
  [[nodiscard]] double root(Eigen::Index i) const { return this->is_there() ? std::sqrt(static_cast<double>(values(i))) : 1; }
  /// The next eigenvalues. `measured`: from the squares of the rotated gradient, which the other side has whitened.
  [[nodiscard]] Eigen::VectorXd moved(const Eigen::VectorXd& measured, double keep, long longest) const {
    const double least = 1 / static_cast<double>(std::max<Eigen::Index>(10, std::min<Eigen::Index>(values.size(), longest)));
    Eigen::VectorXd next(values.size());
    for (Eigen::Index i = 0; i < next.size(); ++i)
      next(i) = std::max(lerp(measured(i), static_cast<double>(values(i)), keep), least * least);
    return next;
  }
  void set(const Eigen::VectorXd& next) {
    for (Eigen::Index i = 0; i < values.size(); ++i) values(i) = saturated<T>(next(i));
  }
};

template <class T>
void precondition(const kl_matrix<T>& m, const kl_step& s, std::span<T> scratch) {
  const linear_algebra::one_thread alone;
  auto u = map(m.update, m.rows, m.cols), first = map(m.first, m.rows, m.cols), second = map(m.second, m.second ? m.rows : 0, m.cols);
  auto half = map(scratch.data(), m.rows, m.cols), rotated = map(scratch.data() + m.rows * m.cols, m.rows, m.cols);
  measured_side<T> left(m.left, m.left_basis, m.left_values, m.rows), right(m.right, m.right_basis, m.right_values, m.cols);
  const T keep = static_cast<T>(s.preconditioner_beta), add = static_cast<T>(1 - s.preconditioner_beta);
  const T add_to_left = add / static_cast<T>(m.cols), add_to_right = add / static_cast<T>(m.rows);

  if (s.begins) {
    hold_products_finite(u);
    if (left.is_there()) average_product(u, u.transpose(), left.preconditioner, keep, add_to_left), left.begin();
    if (right.is_there()) average_product(u.transpose(), u, right.preconditioner, keep, add_to_right), right.begin();
    left.values.setConstant(static_cast<T>(s.initial));
    right.values.setConstant(static_cast<T>(s.initial));
    u.setZero();
    return;
  }

  first = first.binaryExpr(u, averaging_by<T>(s.beta1));

  // Estimates each side from the gradient, with the other side as it was.
  hold_products_finite(u);
  left.rotate_rows(u, half);
  right.rotate_columns(half, rotated);
  Eigen::VectorXd of_rows = Eigen::VectorXd::Zero(u.rows()), of_cols = Eigen::VectorXd::Zero(u.cols());
  for (Eigen::Index i = 0; i < u.rows(); ++i)
    for (Eigen::Index j = 0; j < u.cols(); ++j) {
      const double x = static_cast<double>(rotated(i, j)), white_rows = x / right.root(j), white_cols = x / left.root(i);
      of_rows(i) += white_rows * white_rows / static_cast<double>(u.cols());
      of_cols(j) += white_cols * white_cols / static_cast<double>(u.rows());
    }
  if (left.is_there()) {  // u·R^(-1/2), up to a rotation
    right.rotate_columns(u, half);
    for (Eigen::Index j = 0; j < u.cols(); ++j) half.col(j) *= static_cast<T>(1 / right.root(j));
    hold_products_finite(half);
    average_product(half, half.transpose(), left.preconditioner, keep, add_to_left);
  }
  if (right.is_there()) {
    left.rotate_rows(u, half);
    for (Eigen::Index i = 0; i < u.rows(); ++i) half.row(i) *= static_cast<T>(1 / left.root(i));
    hold_products_finite(half);
    average_product(half.transpose(), half, right.preconditioner, keep, add_to_right);
  }
  if (m.second) second = second.binaryExpr(rotated.cwiseAbs2(), averaging_by<T>(s.beta2));

  u = first;
  const T shortened = hold_products_finite(u);
  left.rotate_rows(u, half);
  right.rotate_columns(half, rotated);
  for (Eigen::Index i = 0; i < u.rows(); ++i)
    for (Eigen::Index j = 0; j < u.cols(); ++j) {
      const double root = m.second ? std::sqrt(static_cast<double>(second(i, j))) : left.root(i) * right.root(j);
      rotated(i, j) = saturated<T>(static_cast<double>(rotated(i, j)) / (root + s.epsilon));
    }
  left.rotate_rows_back(rotated, half);
  right.rotate_columns_back(half, u);
  if (shortened != 1)
    u = u.unaryExpr([shortened](T x) { return saturated<T>(static_cast<double>(x) / static_cast<double>(shortened)); });

  const Eigen::VectorXd next_left = left.moved(of_rows, s.preconditioner_beta, s.longest);
  const Eigen::VectorXd next_right = right.moved(of_cols, s.preconditioner_beta, s.longest);
  left.set(next_left);
  right.set(next_right);
  if (!s.refreshes) return;
  if (left.is_there())
    left.turn([&](const auto& order) {
      left.values = left.values(order).eval();
      if (m.second) second = second(order, Eigen::all).eval();
    });
  if (right.is_there())
    right.turn([&](const auto& order) {
      right.values = right.values(order).eval();
      if (m.second) second = second(Eigen::all, order).eval();
    });
}

}  // namespace

void kl_shampoo(const kl_matrix<float>& m, const kl_step& step, std::span<float> scratch) noexcept {
  precondition(m, step, scratch);
}
void kl_shampoo(const kl_matrix<double>& m, const kl_step& step, std::span<double> scratch) noexcept {
  precondition(m, step, scratch);
}

}  // namespace thalweg::detail
