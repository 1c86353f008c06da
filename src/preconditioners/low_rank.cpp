#include <thalweg/orthogonalization/low_rank.hpp>

#include <cmath>
#include <limits>

#include "products.hpp"

namespace thalweg::detail {

namespace {

/// Rows made orthonormal, each against those before it, twice: once leaves too much rounding. A row that depends on them
/// becomes zero.
template <class T>
void orthonormalize_rows(matrix<T> p) {
  const double rounding = 64 * static_cast<double>(std::numeric_limits<T>::epsilon());
  for (Eigen::Index i = 0; i < p.rows(); ++i) {
    double length = p.row(i).template cast<double>().norm();
    if (length > 0) p.row(i) = (p.row(i).template cast<double>() / length).template cast<T>();
    for (int again = 0; again < 2; ++again)
      for (Eigen::Index j = 0; j < i; ++j) p.row(i) -= p.row(i).dot(p.row(j)) * p.row(j);
    length = static_cast<double>(p.row(i).norm());
    if (length <= rounding) p.row(i).setZero();
    else p.row(i) /= static_cast<T>(length);
  }
}

template <class T>
void step(const low_rank_step& s, const low_rank_matrix<T>& given) {
  const linear_algebra::one_thread alone;
  auto m = map(given.momentum, given.rows, given.cols), update = map(given.update, given.rows, given.cols);
  auto basis = map(given.basis, given.rank, given.cols), p = map(given.scratch, given.rank, given.rows);
  auto r = map(given.scratch + given.rank * given.rows, given.rank, given.cols);
  const auto draw = [&](Eigen::Index i) {
    for (Eigen::Index j = 0; j < basis.cols(); ++j)
      basis(i, j) = static_cast<T>(s.noise.normal(static_cast<std::uint64_t>(i * basis.cols() + j)));
  };
  if (s.begins)
    for (Eigen::Index i = 0; i < basis.rows(); ++i) draw(i);

  m += update;
  const bool is_long = static_cast<double>(m.cwiseAbs().maxCoeff()) > 0x1p60;  // products would leave float
  if (is_long) m *= T(0x1p-64);
  multiply(basis, m.transpose(), p);
  orthonormalize_rows(p);
  multiply(p, m, r);
  for (Eigen::Index i = 0; i < r.rows(); ++i) {
    const double unit = is_long ? 0x1p64 : 1, length = unit * r.row(i).template cast<double>().norm();
    if (length == 0) draw(i);  // a direction without momentum is drawn again
    else basis.row(i) = (unit / (length + s.epsilon) * r.row(i).template cast<double>()).template cast<T>();
  }
  multiply(p.transpose(), basis, update);
  update *= static_cast<T>(s.scale);
  r *= static_cast<T>(s.keep - 1);
  add_product(p.transpose(), r, m);
  if (is_long) m *= T(0x1p64);
}

}  // namespace

void low_rank_step::operator()(const low_rank_matrix<float>& m) const noexcept { step(*this, m); }
void low_rank_step::operator()(const low_rank_matrix<double>& m) const noexcept { step(*this, m); }

}  // namespace thalweg::detail
