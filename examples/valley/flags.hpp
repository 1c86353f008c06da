#pragma once
// The valley's command line, checked.

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "../race/training.hpp"
#include "watch.hpp"

namespace valley {

struct request : race::training {  // each of `optimizers` on its own
  std::vector<std::string> riders;  // ride along with `followed` beside the other optimizers
  std::string followed;
  valley::plan plan;
  std::filesystem::path folder;
  bool draw_only = false;
};

// `known`: the contenders' keys. Nothing, where all that was asked for is help. Throws race::error, and what parse throws.
std::optional<request> parse(int argc, const char* const* argv, std::span<const std::string> known);

}  // namespace valley
