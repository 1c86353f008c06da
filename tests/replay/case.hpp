// A reference case, what replaying it says, and who replays which.
#pragma once

#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

namespace replay {

using json = nlohmann::json;

/// A case's hyper-parameters. One that no chain asks for is an error, not a detail.
class hyperparameters {
  const json& values_;
  std::set<std::string> asked_;

public:
  explicit hyperparameters(const json& values) : values_(values) {}

  double operator()(const std::string& name) {
    asked_.insert(name);
    const json& v = values_.at(name);
    return v.is_boolean() ? v.get<bool>() : v.get<double>();
  }
  std::vector<double> list(const std::string& name) {
    asked_.insert(name);
    return values_.at(name).get<std::vector<double>>();
  }
  double operator()(const std::string& name, double otherwise) {
    return values_.contains(name) ? (*this)(name) : otherwise;
  }
  void expect_none_left() const {
    for (const auto& [name, value] : values_.items())
      if (!asked_.contains(name)) throw std::runtime_error("hyper-parameter '" + name + "' is not replayed");
  }
};

struct replayed_run {
  std::string how;
  double error, allowed;
};
using replayed_runs = std::vector<replayed_run>;

/// Builds the chain of a case and replays it.
using replayer = replayed_runs (*)(const json& c, hyperparameters& h);
using replayers = std::map<std::string, replayer>;

replayers plain();
replayers schedule_free();
replayers muon();
replayers heavyball_chains();

}  // namespace replay
