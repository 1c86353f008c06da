#include "decompositions.hpp"

#include <Eigen/Eigenvalues>
#include <Eigen/QR>

namespace thalweg::detail {

eigen_decomposition eigen_decomposition_of(const Eigen::MatrixXd& symmetric) {
  const Eigen::SelfAdjointEigenSolver<Eigen::MatrixXd> solver(symmetric);
  return {solver.eigenvalues(), solver.eigenvectors()};
}

Eigen::MatrixXd composed(const eigen_decomposition& d) {
  return d.vectors * d.values.asDiagonal() * d.vectors.transpose();
}

Eigen::VectorXd quotients_of(const Eigen::MatrixXd& a, const Eigen::MatrixXd& basis) {
  return (basis.transpose() * a * basis).diagonal();
}

Eigen::MatrixXd iterated(const Eigen::MatrixXd& a, const Eigen::MatrixXd& basis) {
  return Eigen::HouseholderQR<Eigen::MatrixXd>(a * basis).householderQ();
}

}  // namespace thalweg::detail
