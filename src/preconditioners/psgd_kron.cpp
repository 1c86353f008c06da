#include <thalweg/transforms/scale_by_psgd_kron.hpp>

#include <algorithm>

#include "products.hpp"

namespace thalweg::detail {

namespace {

template <class T>
using vector = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, 1>>;

template <class T>
struct factor : psgd_factor<T> {
  [[nodiscard]] matrix<T> triangle() const { return map(this->data, this->rows, this->rows); }
  [[nodiscard]] vector<T> line() const { return {this->data, static_cast<Eigen::Index>(this->rows)}; }

  void begin() const {
    if (!this->data) return;
    if (this->diagonal) line().setOnes();
    else triangle().setIdentity();
  }
  /// x ← Q·x, Qᵀ·x or Q⁻ᵀ·x, with x's columns as vectors. `copy` has room for x.
  template <class X>
  void multiply(X&& x, T* copy) const {
    multiply_by(stored_factor<T>(triangle()), x, copy);
  }
  template <class X>
  void multiply_transposed(X&& x, T* copy) const {
    multiply_by(stored_factor<T>(triangle()).transpose(), x, copy);
  }
  template <class X>
  void divide_transposed(X&& x) const {
    if (!this->data) return;
    if (this->diagonal) return static_cast<void>(x.array().colwise() /= line().array());
    const stored_factor<T> of(x);
    linear_algebra::native::solve_transposed(this->data, this->rows, of.data, of.is_transposed ? of.rows : of.cols, of.is_transposed);
  }

  [[nodiscard]] T largest() const { return this->diagonal ? line().cwiseAbs().maxCoeff() : triangle().cwiseAbs().maxCoeff(); }
  void scale(T by) const {
    if (this->diagonal) line() *= by;
    else triangle() *= by;
  }

  /// One step towards a·aᵀ = b·bᵀ in the mean.
  template <class A>
  void fit(const A& a, const A& b, T rate, T* scratch) const {
    if (!this->data) return;
    if (this->diagonal) {
      const auto of_a = a.rowwise().squaredNorm().eval(), of_b = b.rowwise().squaredNorm().eval();
      const T largest = (of_a + of_b).maxCoeff();
      line().array() -= rate / largest * (of_a - of_b).array() * line().array();
      return;
    }
    auto of_a = map(scratch, this->rows, this->rows);
    auto of_b = map(scratch + this->rows * this->rows, this->rows, this->rows);
    auto turned = map(scratch + 2 * this->rows * this->rows, this->rows, this->rows);
    detail::multiply(a, stored_factor<T>(a).transpose(), of_a);
    detail::multiply(b, stored_factor<T>(b).transpose(), of_b);
    turned = of_a + of_b;
    Eigen::Index longest = 0;
    const T scale = turned.cwiseAbs().maxCoeff();  // keeps the squares in range
    turned /= scale;
    turned.colwise().squaredNorm().maxCoeff(&longest);
    const T norm = scale * turned.lazyProduct(turned.col(longest).normalized()).norm();
    of_a -= of_b;
    of_a.template triangularView<Eigen::StrictlyLower>().setZero();
    detail::multiply(of_a, triangle(), turned);
    triangle() -= rate / norm * turned;
  }

private:
  template <class X>
  void multiply_by(const stored_factor<T>& q, X& x, T* copy) const {
    if (!this->data) return;
    if (this->diagonal) {
      x.array().colwise() *= line().array();
      return;
    }
    const stored_factor<T> of(x);
    auto out = map(of.data, of.rows, of.cols), from = map(copy, of.rows, of.cols);
    from = out;
    if (of.is_transposed) detail::multiply(from, q.transpose(), out);
    else detail::multiply(q, from, out);
  }
};

// Equally large factors: their product stays, and neither leaves the range of T.
template <class T>
void balance(const factor<T>& left, const factor<T>& right) {
  if (!left.data || !right.data) return;
  const T of_left = left.largest(), of_right = right.largest(), mean = sqrt(of_left * of_right);
  left.scale(mean / of_left);
  right.scale(mean / of_right);
}

template <class T>
void precondition(const psgd_matrix<T>& m, const psgd_step& s, std::span<T> scratch) {
  const linear_algebra::one_thread alone;
  const factor<T> left{m.left}, right{m.right};
  auto u = map(m.update, left.rows, right.rows);
  T* const copy = scratch.data() + 2 * u.size();
  T* const rest = copy + u.size();
  if (s.begins) {
    left.begin();
    right.begin();
  }
  if (s.fits && !u.isZero(0)) {
    auto a = map(scratch.data(), left.rows, right.rows), b = map(scratch.data() + u.size(), left.rows, right.rows);
    a = u;
    T shortened = hold_products_finite(a);
    left.multiply(a, copy);
    shortened *= hold_products_finite(a);
    right.multiply(a.transpose(), copy);
    shortened *= hold_products_finite(a);
    for (Eigen::Index i = 0; i < b.rows(); ++i)
      for (Eigen::Index j = 0; j < b.cols(); ++j)
        b(i, j) = static_cast<T>(s.v.normal(static_cast<std::uint64_t>(s.transposed ? j * b.rows() + i : i * b.cols() + j)));
    left.divide_transposed(b);
    right.divide_transposed(b.transpose());
    b *= shortened;  // a fit depends on the ratio of a and b alone
    left.fit(a, b, static_cast<T>(s.rate), rest);
    right.fit(a.transpose(), b.transpose(), static_cast<T>(s.rate), rest);
    balance(left, right);
  }
  left.multiply(u, copy);
  right.multiply(u.transpose(), copy);
  left.multiply_transposed(u, copy);
  right.multiply_transposed(u.transpose(), copy);
}

}  // namespace

std::size_t psgd_scratch(std::size_t rows, std::size_t cols, std::size_t longest_factor) {
  return 3 * rows * cols + 3 * longest_factor * longest_factor;
}
void psgd_kron(const psgd_matrix<float>& m, const psgd_step& step, std::span<float> scratch) noexcept {
  precondition(m, step, scratch);
}
void psgd_kron(const psgd_matrix<double>& m, const psgd_step& step, std::span<double> scratch) noexcept {
  precondition(m, step, scratch);
}

}  // namespace thalweg::detail
