#pragma once
// The edge of stability: the top eigenvalue times the effective step. Plain gradient descent on a quadratic diverges where the
// product is above 2 (Cohen et al., arXiv 2103.00065). Other chains have other edges: momentum moves them.

#include <optional>

#include "subspace.hpp"

namespace valley {

// η = -Σ uₜ gₜ / Σ gₜ²: the step of least squares for uₜ ≈ -η gₜ. `updates` and `gradients` hold the coordinates of n
// successive updates and gradients along one direction. Gradient descent has η = lr. Nothing where all gradients are 0.
inline std::optional<double> effective_step(const vector& updates, const vector& gradients) {
  const double squares = gradients.squaredNorm();
  if (squares == 0) return std::nullopt;
  return -updates.dot(gradients) / squares;
}

}  // namespace valley
