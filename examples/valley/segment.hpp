#pragma once
// The segment from z, the base sequence, to x, the average. y, where gradients are taken, lies on it:
// y = (1-β)·z + β·x (arXiv 2405.15682; arXiv 2507.09846 looks at the loss at each of the three).

#include <optional>
#include <vector>

#include "subspace.hpp"

namespace valley {

struct positions {
  vector z, y, x;  // in a chain without an average all three are the same
};

// β = ⟨y - z, x - z⟩ / ‖x - z‖². Near 0 training is z-like, near 1 it is x-like. Nothing where z = x.
inline std::optional<double> place_of_y(const positions& p) {
  const vector way = p.x - p.z;
  const double whole = way.squaredNorm();
  if (whole == 0) return std::nullopt;
  return (p.y - p.z).dot(way) / whole;
}

struct point_of_segment {
  double place = 0;  // 0 at z, 1 at x
  double loss = 0;
};

// The loss at `count` points from z to x, both included, evenly spaced.
template <class Loss>
std::vector<point_of_segment> losses_along(const positions& p, Loss loss, int count) {
  std::vector<point_of_segment> points;
  for (int i = 0; i < count; ++i) {
    const double place = static_cast<double>(i) / (count - 1);
    points.push_back({place, loss(vector((1 - place) * p.z + place * p.x))});
  }
  return points;
}

}  // namespace valley
