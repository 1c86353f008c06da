#pragma once
// Statistics of successive vectors (updates or gradients). The vectors themselves are not kept: n vectors of a large model
// would not fit into memory.

#include <Eigen/Core>

#include <optional>

#include "subspace.hpp"

namespace valley {

struct sequence {
  matrix coordinates;      // along the dominant directions; one vector a column
  vector squared_lengths;  // one number a vector
  vector sum;
};

inline sequence empty_sequence(const subspace& dominant) {
  return {matrix(dominant.directions.cols(), 0), vector(0), vector::Zero(dominant.directions.rows())};
}

inline void append(sequence& vectors, const subspace& dominant, const vector& next) {
  const auto n = vectors.squared_lengths.size();
  vectors.coordinates.conservativeResize(Eigen::NoChange, n + 1);
  vectors.coordinates.col(n) = coordinates(dominant, next);
  vectors.squared_lengths.conservativeResize(n + 1);
  vectors.squared_lengths[n] = next.squaredNorm();
  vectors.sum += next;
}

// Σ ‖P uₜ‖² / Σ ‖uₜ‖²: the dominant share of all of them. Nothing where all are 0.
inline std::optional<double> dominant_share(const sequence& vectors) {
  const double whole = vectors.squared_lengths.sum();
  if (whole == 0) return std::nullopt;
  return vectors.coordinates.squaredNorm() / whole;
}

}  // namespace valley
