// Replays a case: somebody else's trajectory, recomputed in double and in float, fused and unfused.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <set>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <thalweg/thalweg.hpp>

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

inline thalweg::options options_of(hyperparameters& h) {
  return {.lr = h("lr"),
          .weight_decay = h("weight_decay", 0),
          .warmup_steps = static_cast<long>(h("warmup_steps", 0)),
          .weight_lr_power = h("weight_lr_power", 2),
          .r = h("r", 0)};
}

inline thalweg::role role_of(const std::string& kind) {
  if (kind == "embedding") return thalweg::role::embedding;
  if (kind == "head") return thalweg::role::head;
  if (kind == "matrix" || kind == "vector") return thalweg::role::hidden;
  throw std::runtime_error("kind '" + kind + "' is not replayed");
}

/// What may be wrong, relative to the distance travelled. HeavyBall's state and its step's scalars are float32;
/// Newton–Schulz amplifies what float32 rounds.
struct tolerance {
  double for_double, for_float;
};
inline tolerance allowed(const json& c) {
  const std::string source = c.at("source"), optimizer = c.at("optimizer");
  const bool newton_schulz = optimizer.find("muon") != optimizer.npos || optimizer.find("amuse") != optimizer.npos;
  return {source.find("HeavyBall") != source.npos ? 3e-5 : 1e-9, newton_schulz ? 1e-3 : 1e-4};
}

/// The largest error of each run, relative to the largest distance that any parameter travelled. What one rounding of
/// the parameter a step explains is no error: a slow start is shorter than that in float.
struct errors {
  double fused64 = 0, unfused64 = 0, fused32 = 0, unfused32 = 0;
};

template <class T>
std::vector<std::vector<T>> initial_values(const json& c) {
  std::vector<std::vector<T>> values;
  for (const auto& p : c.at("parameters")) values.push_back(p.at("initial").get<std::vector<T>>());
  return values;
}

/// A case's parameters, but for their memory.
template <class T>
std::vector<thalweg::parameter<T>> parameters_of(const json& c) {
  std::vector<thalweg::parameter<T>> parameters;
  for (const auto& p : c.at("parameters")) {
    parameters.push_back({.name = p.at("name"),
                          .shape = p.at("shape").get<std::vector<std::size_t>>(),
                          .role = role_of(p.at("kind"))});
    if (p.at("initial").size() != thalweg::element_count(parameters.back().shape))
      throw std::runtime_error("initial values of " + parameters.back().name + " do not fill its shape");
  }
  return parameters;
}

/// `step(gradients)` takes a step of `opt`, `values()` are its parameters.
template <class T, class Optimizer, class Step, class Values>
double largest_error(const json& c, Optimizer& opt, Step step, Values values) {
  double error = 0, distance = 0;
  const auto compare = [&](const json& expected) {
    const std::vector<std::vector<T>> have = values();
    if (expected.size() != have.size()) throw std::runtime_error("a step does not give every parameter");
    for (std::size_t i = 0; i < have.size(); ++i) {
      const auto want = expected[i].get<std::vector<double>>();
      const auto start = c.at("parameters")[i].at("initial").get<std::vector<double>>();
      if (want.size() != have[i].size()) throw std::runtime_error("a step gives a parameter of another size");
      for (std::size_t j = 0; j < want.size(); ++j) {
        const double off = std::abs(static_cast<double>(have[i][j]) - want[j]);
        const double roundings = static_cast<double>(opt.steps()) * std::numeric_limits<T>::epsilon() / 2;
        error = std::isfinite(off) ? std::max(error, off - roundings * std::abs(want[j])) : INFINITY;
        distance = std::max(distance, std::abs(want[j] - start[j]));
      }
    }
  };

  for (const auto& s : c.at("steps")) {
    step(s.at("gradients").get<std::vector<std::vector<T>>>());
    compare(s.at("parameters"));
  }
  if (c.contains("evaluation_parameters")) {
    const auto at_x = opt.evaluation_point();
    compare(c.at("evaluation_parameters"));
  }
  if (c.at("steps").empty() || distance == 0) throw std::runtime_error("nothing moves in this case");
  return error / distance;
}

template <class T, class Chain>
double largest_error(const json& c, const Chain& chain, const thalweg::options& options) {
  auto values = initial_values<T>(c);
  auto parameters = parameters_of<T>(c);
  for (std::size_t i = 0; i < values.size(); ++i) parameters[i].data = values[i].data();
  auto opt = thalweg::optimizer(chain, parameters, options);
  return largest_error<T>(c, opt, [&](const auto& gradients) { opt.step(gradients); }, [&] { return values; });
}

template <class Chain>
errors run(const json& c, const Chain& chain, const thalweg::options& options) {
  return {largest_error<double>(c, chain, options), largest_error<double>(c, thalweg::unfused(chain), options),
          largest_error<float>(c, chain, options), largest_error<float>(c, thalweg::unfused(chain), options)};
}

/// Builds the chain of a case and replays it.
using replayer = errors (*)(const json& c, hyperparameters& h);
using replayers = std::map<std::string, replayer>;

replayers plain();
replayers schedule_free();
replayers muon();
replayers heavyball_chains();

}  // namespace replay
