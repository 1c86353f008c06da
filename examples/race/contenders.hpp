#pragma once
// Who races, with the settings that `--tune` finds.

#include <string>
#include <string_view>
#include <vector>

#include "task.hpp"

namespace race {

struct contender {
  std::string key;    // "sf_adamw"
  std::string name;   // "Schedule-Free AdamW"
  std::string chain;  // a text
  double lr = 0.004;
  double weight_decay = 0.05;
  long warmup_steps = 0;

  thalweg::options options() const { return {.lr = lr, .weight_decay = weight_decay, .warmup_steps = warmup_steps}; }
};

// For a task of this name, over `steps` steps.
std::vector<contender> contenders(std::string_view task, const description& about, long steps);

// A chain on the command line. Nobody has tuned its learning rate: `--tune` or `--lr` does.
contender contender_of(std::string key, std::string chain, long steps);

}  // namespace race
