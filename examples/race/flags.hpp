#pragma once
// The command line, checked.

#include <cstddef>
#include <filesystem>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace race {

struct request {
  bool digits = false;
  std::filesystem::path folder;
  std::vector<std::string> optimizers;
  struct chain {
    std::string key, text;
  };
  std::vector<chain> chains;  // those that are not contenders but a text: chain1, chain2, …
  std::map<std::string, double> lr;  // of those that do not race with the tuned one
  std::vector<std::ptrdiff_t> hidden;
  long steps = 0;
  std::size_t batch = 0;
  unsigned seed = 1;
  unsigned seeds = 1;
  bool tune = false;
  std::filesystem::path csv, plot;
};

// `known`: the contenders' keys; whatever else is to race is a chain as text. Nothing, where all that was asked for is
// help. Throws `error`. A chain is not read yet.
std::optional<request> parse(int argc, char* const* argv, std::span<const std::string> known);

}  // namespace race
