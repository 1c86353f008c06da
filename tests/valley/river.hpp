#pragma once
// A quadratic river valley whose eigenvectors are given: L(θ) = ½ Σ λᵢ cᵢ² - c₄ with cᵢ = ⟨vᵢ, θ⟩. The walls are steep along v₁
// and v₂, the bottom is nearly flat along v₃, and the river flows along v₄, where the loss falls by 1 for each unit of length.

#include "../../examples/valley/subspace.hpp"

namespace river {

using valley::vector;

inline const vector curvatures{{8, 4, 0.5, 0}};
inline const valley::matrix axes{{0.5, 0.5, 0.5, 0.5}, {0.5, -0.5, 0.5, -0.5}, {0.5, 0.5, -0.5, -0.5}, {0.5, -0.5, -0.5, 0.5}};
inline const valley::subspace walls{curvatures.head(2), axes.leftCols(2)};

// From coordinates along the eigenvectors.
inline vector at(double c1, double c2, double c3, double c4) { return axes * vector{{c1, c2, c3, c4}}; }

inline double loss(const vector& place) {
  const vector c = axes.transpose() * place;
  return 0.5 * curvatures.dot(c.cwiseAbs2()) - c[3];
}
inline vector gradient(const vector& place) {
  return axes * (curvatures.asDiagonal() * (axes.transpose() * place)) - axes.col(3);
}

}  // namespace river
