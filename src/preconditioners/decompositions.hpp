// Decompositions of symmetric matrices by the library's linear algebra, in double for parameters of any type.
#pragma once

#include <Eigen/Core>

namespace thalweg::detail {

/// The smallest eigenvalue first.
struct eigen_decomposition {
  Eigen::VectorXd values;
  Eigen::MatrixXd vectors;
};
/// All numbers must be finite: the solver would not survive others.
eigen_decomposition eigen_decomposition_of(Eigen::MatrixXd symmetric);

/// The symmetric matrix that has this decomposition.
Eigen::MatrixXd composed(eigen_decomposition d);

/// vᵀ · a · v for each column v of a basis.
Eigen::VectorXd quotients_of(Eigen::MatrixXd a, Eigen::MatrixXd basis);

/// One step of orthogonal iteration from `basis` towards the eigenvectors of `a`: Q of a · basis = Q · R.
Eigen::MatrixXd iterated(Eigen::MatrixXd a, Eigen::MatrixXd basis);

/// x of a · x = b.
Eigen::VectorXd solved(Eigen::MatrixXd a, Eigen::VectorXd b);

}  // namespace thalweg::detail
