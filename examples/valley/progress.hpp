#pragma once
// Progress along the bulk: how far a run goes along the river, and how straight it goes.

#include <optional>

#include "sequence.hpp"
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

// ‖Σ uₜ‖² / (n Σ ‖uₜ‖²) of n updates, for their dominant parts and for their bulk parts. 1: all updates are equal. About 1/n:
// the updates are independent noise. 0: what one update does, another one undoes. Nothing where all parts are 0.
struct straightness {
  std::optional<double> dominant, bulk;
};
inline straightness straightness_of(const sequence& updates) {
  const double whole = updates.squared_lengths.sum();
  const double inside = updates.coordinates.squaredNorm();
  const auto ratio = [&](double sum, double squares) -> std::optional<double> {
    if (squares <= 1e-24 * whole) return std::nullopt;  // 0, but for rounding
    return sum / (static_cast<double>(updates.squared_lengths.size()) * squares);
  };
  const double inside_sum = updates.coordinates.rowwise().sum().squaredNorm();
  return {ratio(inside_sum, inside), ratio(updates.sum.squaredNorm() - inside_sum, whole - inside)};
}

}  // namespace valley
