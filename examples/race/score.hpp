#pragma once

namespace race {

struct score {
  double loss = 0;      // mean cross-entropy, in the task's unit
  double accuracy = 0;  // share of the examples whose largest output is the label
};

}  // namespace race
