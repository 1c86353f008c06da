#pragma once
// The Hessian of a task's loss on its fixed examples.

#include "../race/task.hpp"
#include "hessian.hpp"
#include "subspace.hpp"

namespace valley {

vector gradient_at(race::model& model, const vector& place);

// By differences of gradients over 0.02 of length, which is less than most optimizers' steps. On this length a float's gradient
// is exact enough, and the jumps of a ReLU network's gradient are many, so that their mean counts as curvature.
hessian_product differences_at(race::model& model, const vector& place);

// The best that the program knows for this model: twice differentiated by libtorch, or differences. The model may be at the
// place for as long as the product lives.
hessian_product hessian_at(race::model& model, const vector& place);

// The k top eigenvectors at a place.
subspace dominant_at(race::model& model, const vector& place, Eigen::Index k);

// Σ ⟨vᵢ, H vᵢ⟩ / Σ λᵢ with H at a place: how much of their curvature the dominant directions of another place still have.
double curvature_kept(race::model& model, const subspace& dominant, const vector& place);

}  // namespace valley
