#pragma once
// The race's command line, checked.

#include <filesystem>
#include <optional>
#include <span>
#include <string>

#include <thalweg/core/stored.hpp>

#include "training.hpp"

namespace race {

struct request : training {  // several rates are tried by `--tune`
  bool tune = false;
  bool resume = false;
  thalweg::state_in state = thalweg::state_in::same;
  std::filesystem::path csv, plot, ledger;
};

// `known`: the contenders' keys; whatever else is to race is a chain as text. Nothing, where all that was asked for is
// help. Throws `error`, and what parse throws.
std::optional<request> parse(int argc, const char* const* argv, std::span<const std::string> known);

}  // namespace race
