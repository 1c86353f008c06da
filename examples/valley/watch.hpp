#pragma once
// Trains a model, and measures at regular steps where in the valley its optimizer goes.

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "../race/contenders.hpp"
#include "../race/task.hpp"
#include "segment.hpp"
#include "subspace.hpp"

namespace valley {

struct plan {
  long steps = 0;
  long every = 0;   // a measurement ends at every multiple of it …
  long window = 0;  // … and takes this many steps, all with the eigenvectors at its first y
  Eigen::Index eigenvectors = 0;
  std::optional<long> plane_at{};  // the measurement that is drawn in a plane, by its last step
};

// One number of one measurement. `trajectory` is the key of the optimizer that trains; `optimizer` is that one or one that
// rides along: it is given the gradients of the trajectory, and moves parameters of its own, from which no gradient is taken.
struct measured {
  std::string trajectory, optimizer;
  unsigned seed;
  long step;
  std::string measure;
  double value;
};

// The oscillation of one sequence along one eigenvector.
struct swing {
  std::string optimizer;
  unsigned seed;
  long step;
  char sequence;  // z, y or x
  Eigen::Index direction;  // 1: the top eigenvector
  double curvature;
  std::optional<double> sign_changes, autocorrelation;
  double amplitude;
};

// A point of the plane through the first y of a measurement, along the top eigenvector and along the bulk part of y's way.
struct point_of_plane {
  std::string optimizer;
  std::string of;  // z, y, x: a path; loss: a grid
  double dominant, bulk;
  std::optional<double> loss;  // of the grid
};

struct observations {
  std::vector<measured> numbers;
  std::vector<swing> swings;
  std::vector<point_of_plane> plane;
};

// Trains with `leader`; `riders` ride along. `passing(step)` is called after each measurement. A run whose loss is not finite
// ends there.
observations watch(const race::task& task, const race::contender& leader, const std::vector<race::contender>& riders,
                   const plan& plan, unsigned seed, const std::function<void(long step)>& passing);

}  // namespace valley
