#pragma once
// The command line, checked.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../race/arguments.hpp"
#include "watch.hpp"

namespace valley {

struct request {
  const race::named_task* task = nullptr;
  race::task_settings settings;
  std::vector<std::string> optimizers;  // train, each on its own
  std::vector<std::string> riders;      // ride along with `followed` beside the other optimizers
  std::vector<race::named_chain> chains;
  std::string followed;
  race::numbers_by_key lr, weight_decay;
  std::optional<double> warmup;  // share of the steps
  valley::plan plan;
  unsigned seed = 1, seeds = 1;
  std::filesystem::path folder;
  bool draw_only = false;
};

// `known`: the contenders' keys. Nothing, where all that was asked for is help. Throws race::error, and what parse throws.
std::optional<request> parse(int argc, const char* const* argv, std::span<const std::string> known);

}  // namespace valley
