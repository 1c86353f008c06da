#include <thalweg/transforms/scale_by_soap.hpp>

#include "products.hpp"
#include "side.hpp"

namespace thalweg::detail {

namespace {

template <class T>
void precondition(const soap_matrix<T>& m, const soap_step& s, std::span<T> scratch) {
  const linear_algebra::one_thread alone;
  auto u = map(m.update, m.rows, m.cols), first = map(m.first, m.rows, m.cols), second = map(m.second, m.rows, m.cols);
  auto half = map(scratch.data(), m.rows, m.cols), rotated = map(scratch.data() + m.rows * m.cols, m.rows, m.cols);
  side<T> left{map(m.left, m.rows, m.rows), map(m.left_basis, m.rows, m.rows)};
  side<T> right{map(m.right, m.cols, m.cols), map(m.right_basis, m.cols, m.cols)};

  hold_products_finite(u);
  const T keep = static_cast<T>(s.preconditioner_beta), add = static_cast<T>(1 - s.preconditioner_beta);
  if (m.left) average_product(u, u.transpose(), left.preconditioner, keep, add);
  if (m.right) average_product(u.transpose(), u, right.preconditioner, keep, add);
  if (s.begins) {
    if (m.left) left.begin();
    if (m.right) right.begin();
    u.setZero();
    return;
  }

  const auto rotate = [&](const auto& from, auto& to) {
    if (m.left) multiply(left.basis.transpose(), from, half);
    else half = from;
    if (m.right) multiply(half, right.basis, to);
    else to = half;
  };
  rotate(u, rotated);
  const auto average = [](double beta) { return [beta](T mean, T newest) { return lerp(newest, mean, beta); }; };
  second = second.binaryExpr(rotated.cwiseAbs2(), average(s.beta2));
  first = first.binaryExpr(u, average(s.beta1));
  rotate(first, rotated);
  rotated.array() *= static_cast<T>(s.correction) / (second.array().sqrt() + static_cast<T>(s.epsilon));
  if (m.left) multiply(left.basis, rotated, half);
  else half = rotated;
  if (m.right) multiply(half, right.basis.transpose(), u);
  else u = half;

  if (!s.refreshes) return;
  if (m.left) left.turn([&](const auto& order) { second = second(order, Eigen::all).eval(); });
  if (m.right) right.turn([&](const auto& order) { second = second(Eigen::all, order).eval(); });
}

}  // namespace

void soap(const soap_matrix<float>& m, const soap_step& step, std::span<float> scratch) noexcept {
  precondition(m, step, scratch);
}
void soap(const soap_matrix<double>& m, const soap_step& step, std::span<double> scratch) noexcept {
  precondition(m, step, scratch);
}

}  // namespace thalweg::detail
