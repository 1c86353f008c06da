#include <thalweg/transforms/scale_by_soap.hpp>

#include "side.hpp"

namespace thalweg::detail {

namespace {

template <class T>
void precondition(const soap_matrix<T>& m, const soap_step& s, std::span<T> scratch) {
  const linear_algebra::one_thread alone;
  auto u = map(m.update, m.rows, m.cols), first = map(m.first, m.rows, m.cols), second = map(m.second, m.rows, m.cols);
  auto half = map(scratch.data(), m.rows, m.cols), rotated = map(scratch.data() + m.rows * m.cols, m.rows, m.cols);
  side<T> left(m.left, m.left_basis, m.rows), right(m.right, m.right_basis, m.cols);

  hold_products_finite(u);
  const T keep = static_cast<T>(s.preconditioner_beta), add = static_cast<T>(1 - s.preconditioner_beta);
  if (left.is_there()) average_product(u, u.transpose(), left.preconditioner, keep, add);
  if (right.is_there()) average_product(u.transpose(), u, right.preconditioner, keep, add);
  if (s.begins) {
    if (left.is_there()) left.begin();
    if (right.is_there()) right.begin();
    u.setZero();
    return;
  }

  left.rotate_rows(u, half);
  right.rotate_columns(half, rotated);
  second = second.binaryExpr(rotated.cwiseAbs2(), averaging_by<T>(s.beta2));
  first = first.binaryExpr(u, averaging_by<T>(s.beta1));
  left.rotate_rows(first, half);
  right.rotate_columns(half, rotated);
  rotated.array() *= static_cast<T>(s.correction) / (second.array().sqrt() + static_cast<T>(s.epsilon));
  left.rotate_rows_back(rotated, half);
  right.rotate_columns_back(half, u);

  if (!s.refreshes) return;
  if (left.is_there()) left.turn([&](const auto& order) { second = second(order, Eigen::all).eval(); });
  if (right.is_there()) right.turn([&](const auto& order) { second = second(Eigen::all, order).eval(); });
}

}  // namespace

void soap(const soap_matrix<float>& m, const soap_step& step, std::span<float> scratch) noexcept {
  precondition(m, step, scratch);
}
void soap(const soap_matrix<double>& m, const soap_step& step, std::span<double> scratch) noexcept {
  precondition(m, step, scratch);
}

}  // namespace thalweg::detail
