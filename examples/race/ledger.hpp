#pragma once
// A file that keeps each run as soon as it is over: a line of JSON a run. Several programs may write to one ledger.

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include <thalweg/core/options.hpp>

#include "results.hpp"

namespace race {

// What decides a run's result.
struct run_key {
  description about;
  std::string chain;  // with every field
  thalweg::options options;
  long steps = 0;
  unsigned seed = 0;
};

class ledger {
  std::filesystem::path path_;
  std::map<std::string, run> kept_;

public:
  // `resume`: with the runs that the file has. Throws `error` where a line is no run. A last line that was cut off is as
  // if it were not there.
  ledger(std::filesystem::path path, bool resume);

  std::optional<run> find(const run_key& key) const;
  void add(const run_key& key, const run& run);
};

}  // namespace race
