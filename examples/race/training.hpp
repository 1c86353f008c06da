#pragma once
// The settings that the race and the valley share: the tasks, the optimizers and the number of steps.

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "command_line.hpp"
#include "task.hpp"

namespace race {

struct training {
  const named_task* task = nullptr;
  task_settings settings;
  std::vector<std::string> optimizers;  // keys
  std::vector<named_chain> chains;      // those that are not contenders but a text: chain1, chain2, …
  numbers_by_key lr, weight_decay;      // of those that do not train with the tuned ones
  std::optional<double> warmup;         // share of the steps
  long steps = 0;
  unsigned seed = 1, seeds = 1;
};

// `known`: the contenders' keys. `usual`: the default optimizers.
std::vector<flag> training_flags(std::span<const std::string> known, const std::string& usual);

// All settings except the rates. Rates may belong to chains that other flags name. Throws `error`, and what parse throws.
void read_training(training&, const command_line&, std::span<const std::string> known);
// `several`: values that are to be tried.
void read_rates(training&, const command_line&, std::span<const std::string> known, bool several);

}  // namespace race
