#pragma once
// Progress along the bulk: how far a run goes along the river, and how straight it goes.

#include <optional>

#include "subspace.hpp"

namespace valley {

// ‖(I - P)(to - from)‖
inline double bulk_distance(const subspace& dominant, const vector& from, const vector& to) {
  return in_bulk(dominant, to - from).norm();
}

// ‖(I - P)(to - from)‖ / (loss at from - loss at to): the way along the bulk for each unit by which the loss falls. Nothing
// where the loss does not fall.
inline std::optional<double> bulk_distance_per_loss(const subspace& dominant, const vector& from, const vector& to,
                                                    double loss_from, double loss_to) {
  const double fallen = loss_from - loss_to;
  if (!(fallen > 0)) return std::nullopt;
  return bulk_distance(dominant, from, to) / fallen;
}

// -⟨g, P u⟩ and -⟨g, (I - P) u⟩: by how much an update u lowers the loss to first order, with the gradient g of the loss.
// arXiv 2405.16002 compares the two.
struct descent {
  double dominant = 0, bulk = 0;
};
inline descent descent_of(const subspace& dominant, const vector& gradient, const vector& update) {
  const double whole = -gradient.dot(update);
  const double inside = -coordinates(dominant, gradient).dot(coordinates(dominant, update));
  return {inside, whole - inside};
}

// ‖Σ uₜ‖² / (n Σ ‖uₜ‖²) of n updates, for their dominant parts and for their bulk parts. 1: all updates are equal. About 1/n:
// each update is noise. 0: what one update does, another one undoes. Nothing where all parts are 0.
struct straightness {
  std::optional<double> dominant, bulk;
};
inline straightness straightness_of(const subspace& dominant, const matrix& updates) {  // one update a column
  const auto ratio = [&](double sum, double squares) -> std::optional<double> {
    if (squares <= 1e-24 * updates.squaredNorm()) return std::nullopt;
    return sum / (static_cast<double>(updates.cols()) * squares);
  };
  const vector whole = updates.rowwise().sum();
  const matrix inside = dominant.directions.transpose() * updates;
  const double inside_sum = inside.rowwise().sum().squaredNorm(), inside_squares = inside.squaredNorm();
  return {ratio(inside_sum, inside_squares),
          ratio(whole.squaredNorm() - inside_sum, updates.squaredNorm() - inside_squares)};
}

}  // namespace valley
