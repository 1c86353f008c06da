#pragma once
// What one run of training measures, and when.

#include <array>
#include <vector>

namespace race {

struct score {
  double loss = 0;      // mean cross-entropy
  double accuracy = 0;  // share of the examples whose largest output is the label
};

struct point {
  long step = 0;
  score training;  // on the first training images, like the validation: no gradient, no batch's luck
  score validation;
};

struct run {
  std::vector<point> curve;
  double seconds_a_step = 0;
  double optimizer_share = 0;  // of those seconds
};

// Where one might stop, in % of the budget: evenly on a logarithmic axis.
inline constexpr std::array stops{1, 2, 3, 4, 5, 7, 10, 13, 16, 20, 25, 30, 36, 43, 50, 60, 70, 80, 90, 100};

}  // namespace race
