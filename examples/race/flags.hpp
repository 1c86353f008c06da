#pragma once
// The command line, checked.

#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "task.hpp"

namespace race {

struct request {
  const named_task* task = nullptr;
  task_settings settings;
  std::vector<std::string> optimizers;
  struct chain {
    std::string key, text;
  };
  std::vector<chain> chains;  // those that are not contenders but a text: chain1, chain2, …
  // Of those that do not race with the tuned ones; several are tried by `--tune`.
  using numbers = std::map<std::string, std::vector<double>>;
  numbers lr, weight_decay;
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
