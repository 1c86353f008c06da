#pragma once
// Oscillation of the iterates along one direction. The series c₁ … cₙ holds one coordinate of n successive iterates: of z, of
// y or of x, along one dominant eigenvector.
//
// arXiv 2410.05192 and arXiv 2507.09846 describe a river valley: iterates jump between its walls and drift along its river.
// AMUSE (arXiv 2605.22432) says that Muon makes these jumps larger, and that a growing β makes them smaller.

#include <Eigen/Core>

#include <cmath>
#include <optional>

#include "subspace.hpp"

namespace valley {

// dₜ = cₜ - (a + b·t), with the straight line of least squares: a drift along the direction is no oscillation.
inline vector deviations(const vector& series) {
  const auto n = series.size();
  vector d = series.array() - series.mean();
  const vector time = vector::LinSpaced(n, -0.5 * static_cast<double>(n - 1), 0.5 * static_cast<double>(n - 1));
  if (n > 1) d -= time * (time.dot(d) / time.squaredNorm());
  return d;
}

// The share of the n-1 steps over which dₜ changes its sign. 1: the iterates cross the valley at each step. About 1/2: white
// noise. Near 0: slow waves. A change to or from 0 does not count. Nothing for fewer than 3 iterates, which have no deviation.
inline std::optional<double> sign_changes(const vector& series) {
  const auto n = series.size();
  if (n < 3) return std::nullopt;
  const vector d = deviations(series);
  return static_cast<double>((d.head(n - 1).array() * d.tail(n - 1).array() < 0).count()) / static_cast<double>(n - 1);
}

// Σ dₜ dₜ₊₁ / Σ dₜ². Near -1: the iterates cross the valley at each step. Near 0: white noise. Near 1: slow waves. Nothing where
// no iterate deviates.
inline std::optional<double> lag_one_autocorrelation(const vector& series) {
  const auto n = series.size();
  if (n < 3) return std::nullopt;
  const vector d = deviations(series);
  const double scale = series.cwiseAbs().maxCoeff();
  if (d.norm() <= 1e-12 * scale) return std::nullopt;  // a straight line, but for rounding
  return d.head(n - 1).dot(d.tail(n - 1)) / d.squaredNorm();
}

// √(Σ dₜ² / n)
inline double amplitude(const vector& series) {
  return deviations(series).norm() / std::sqrt(static_cast<double>(series.size()));
}

// ½ Σ λᵢ aᵢ²: the mean loss that the oscillation adds in a quadratic valley. This is the "hill component"
// of arXiv 2410.05192. `amplitudes` has one number for each dominant direction.
inline double hill_loss(const subspace& dominant, const vector& amplitudes) {
  return 0.5 * dominant.curvatures.dot(amplitudes.cwiseAbs2());
}

}  // namespace valley
