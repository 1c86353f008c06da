#pragma once
// What was run, kept beside the observations: the task, the plan and each optimizer's chain and settings.

#include <filesystem>
#include <string>
#include <vector>

#include "../race/contenders.hpp"
#include "watch.hpp"

namespace valley {

struct settings {
  race::description about;
  valley::plan plan;
  std::string followed;
  std::vector<race::contender> optimizers;  // riders too
};

// Of settings.json. Throws `error` where the folder has none.
settings read_settings(const std::filesystem::path& folder);

// Makes the folder and its settings.json, or adds to it the optimizers that it lacks. Throws `error` where it has runs with
// other settings.
settings keep_settings(const std::filesystem::path& folder, const settings& now);

}  // namespace valley
