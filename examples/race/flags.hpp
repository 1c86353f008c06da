#pragma once
// The command line, checked.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "task.hpp"

namespace race {

struct request {
  const named_task* task = nullptr;
  task_settings settings;
  std::vector<std::string> optimizers;
  std::vector<named_chain> chains;  // those that are not contenders but a text: chain1, chain2, …
  numbers_by_key lr, weight_decay;  // of those that do not race with the tuned ones; several are tried by `--tune`
  std::optional<double> warmup;  // share of the steps
  long steps = 0;
  unsigned seed = 1;
  unsigned seeds = 1;
  bool tune = false;
  bool resume = false;
  std::filesystem::path csv, plot, ledger;
};

// `known`: the contenders' keys; whatever else is to race is a chain as text. Nothing, where all that was asked for is
// help. Throws `error`, and what parse throws.
std::optional<request> parse(int argc, const char* const* argv, std::span<const std::string> known);

}  // namespace race
