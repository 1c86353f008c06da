#include "decompositions.hpp"

#include <cstddef>
#include <limits>
#include <utility>

#include "products.hpp"

namespace thalweg::detail {

namespace {

// A matrix that lies column by column is its transposed matrix, row by row.
matrix<double> transposed_rows(Eigen::MatrixXd& m) {
  return map(m.data(), static_cast<std::size_t>(m.cols()), static_cast<std::size_t>(m.rows()));
}

// a · b of a symmetric a
Eigen::MatrixXd symmetric_times(Eigen::MatrixXd& a, Eigen::MatrixXd& b) {
  Eigen::MatrixXd product(b.rows(), b.cols());
  multiply(transposed_rows(b), transposed_rows(a), transposed_rows(product));
  return product;
}

}  // namespace

eigen_decomposition eigen_decomposition_of(Eigen::MatrixXd symmetric) {
  eigen_decomposition d{Eigen::VectorXd(symmetric.rows()), std::move(symmetric)};
  linear_algebra::native::eigen_decompose(d.vectors.data(), static_cast<std::size_t>(d.values.size()), d.values.data());
  return d;
}

Eigen::MatrixXd composed(eigen_decomposition d) {
  Eigen::MatrixXd scaled = d.vectors * d.values.asDiagonal(), product(scaled.rows(), scaled.cols());
  multiply(transposed_rows(scaled).transpose(), transposed_rows(d.vectors), transposed_rows(product));
  return product;
}

Eigen::VectorXd quotients_of(Eigen::MatrixXd a, Eigen::MatrixXd basis) {
  return basis.cwiseProduct(symmetric_times(a, basis)).colwise().sum();
}

Eigen::MatrixXd iterated(Eigen::MatrixXd a, Eigen::MatrixXd basis) {
  Eigen::MatrixXd q = symmetric_times(a, basis);
  linear_algebra::native::orthonormalize(q.data(), static_cast<std::size_t>(q.rows()));
  return q;
}

Eigen::VectorXd solved(Eigen::MatrixXd a, Eigen::VectorXd b) {
  if (!a.allFinite() || !b.allFinite()) b.setConstant(std::numeric_limits<double>::quiet_NaN());
  else if (b.size() > 0) linear_algebra::native::solve(a.data(), static_cast<std::size_t>(b.size()), b.data());
  return b;
}

}  // namespace thalweg::detail
