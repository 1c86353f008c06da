#pragma once
// The Hessian H of a loss. It is too large to store, so we compute its products with vectors, from gradients.

#include <functional>
#include <string>

#include "subspace.hpp"

namespace valley {

// d ↦ H d, at one point.
using hessian_product = std::function<vector(const vector& direction)>;

// H d ≈ (g(θ + h·d/‖d‖) - g(θ - h·d/‖d‖)) · ‖d‖ / (2h). The error is of order h², and exactly 0 for a quadratic loss but for
// rounding. Where a ReLU changes its side between the two points, the difference contains the jump of the gradient: a small h
// keeps such jumps few.
template <class Gradient>
vector central_difference(Gradient gradient, const vector& at, const vector& direction, double h = 1e-5) {
  const double length = direction.norm();
  if (length == 0) return vector::Zero(direction.size());
  const vector ahead = (h / length) * direction;
  return (gradient(vector(at + ahead)) - gradient(vector(at - ahead))) * (length / (2 * h));
}

// The k largest eigenvalues with their eigenvectors, by Lanczos' method with implicit restarts (Spectra), to a relative
// accuracy of `tolerance`. The same input gives the same result. Throws where k is not in 1 … dimension - 1, where a product
// is not finite, or where the method does not converge.
subspace top_eigenpairs(const hessian_product& product, Eigen::Index dimension, Eigen::Index k, double tolerance = 1e-4);

}  // namespace valley
