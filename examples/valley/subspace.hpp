#pragma once
// The dominant subspace: the span of the top k eigenvectors of the Hessian of the training loss. What is orthogonal to it is
// the bulk. In the picture of a river valley the dominant directions cross the valley, and the bulk holds the river.
//
//   Gur-Ari, Roberts & Dyer, arXiv 1812.04754: k is the number of classes, and most of the gradient lies in this subspace.
//   Song, Ahn & Yun, arXiv 2405.16002: yet the part of the update in it does not make the loss fall.

#include <Eigen/Core>

#include <optional>

namespace valley {

using vector = Eigen::VectorXd;
using matrix = Eigen::MatrixXd;

struct subspace {
  vector curvatures;  // the eigenvalues, largest first
  matrix directions;  // the eigenvectors, one a column, orthonormal
};

// cᵢ = ⟨vᵢ, u⟩
inline vector coordinates(const subspace& dominant, const vector& u) { return dominant.directions.transpose() * u; }

// P u = Σ cᵢ vᵢ, and the rest of u.
inline vector in_dominant(const subspace& dominant, const vector& u) {
  return dominant.directions * coordinates(dominant, u);
}
inline vector in_bulk(const subspace& dominant, const vector& u) { return u - in_dominant(dominant, u); }

// ‖P u‖² / ‖u‖², of a gradient (f_top of arXiv 1812.04754) or of an update (the square of χ of arXiv 2405.16002). A vector
// of random direction in n dimensions has k/n. Nothing for u = 0.
inline std::optional<double> dominant_share(const subspace& dominant, const vector& u) {
  const double whole = u.squaredNorm();
  if (whole == 0) return std::nullopt;
  return coordinates(dominant, u).squaredNorm() / whole;
}

}  // namespace valley
