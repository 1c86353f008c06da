// Replays a case: somebody else's trajectory, recomputed in double and in float; on the host also unfused.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <build.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "case.hpp"

namespace replay {

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

/// The largest error of a run, relative to the largest distance that any parameter travelled. What one rounding of the
/// parameter a step explains is no error: a slow start is shorter than that in float.
template <class T>
double largest_error(const json& c, const test::builder<T>& build, const thalweg::options& options) {
  auto values = initial_values<T>(c);
  auto parameters = parameters_of<T>(c);
  for (std::size_t i = 0; i < values.size(); ++i) parameters[i].data = values[i].data();
  const auto opt = build(parameters, options);
  double error = 0, distance = 0, steps = 0;
  const auto compare = [&](const json& expected) {
    if (expected.size() != values.size()) throw std::runtime_error("a step does not give every parameter");
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto want = expected[i].get<std::vector<double>>();
      const auto start = c.at("parameters")[i].at("initial").get<std::vector<double>>();
      if (want.size() != values[i].size()) throw std::runtime_error("a step gives a parameter of another size");
      for (std::size_t j = 0; j < want.size(); ++j) {
        const double off = std::abs(static_cast<double>(values[i][j]) - want[j]);
        const double roundings = steps * std::numeric_limits<T>::epsilon() / 2;
        error = std::isfinite(off) ? std::max(error, off - roundings * std::abs(want[j])) : INFINITY;
        distance = std::max(distance, std::abs(want[j] - start[j]));
      }
    }
  };

  for (const auto& s : c.at("steps")) {
    const auto gradients = s.at("gradients").get<std::vector<std::vector<T>>>();
    opt->step({gradients.begin(), gradients.end()});
    ++steps;
    compare(s.at("parameters"));
  }
  if (c.contains("evaluation_parameters")) {
    const auto at_x = opt->evaluation_point();
    compare(c.at("evaluation_parameters"));
  }
  if (c.at("steps").empty() || distance == 0) throw std::runtime_error("nothing moves in this case");
  return error / distance;
}

template <class Chain>
replayed_runs run(const json& c, const Chain& chain, const thalweg::options& options) {
  const auto limit = allowed(c);
  replayed_runs all{{"float64", largest_error(c, test::build<double>(chain), options), limit.for_double},
                    {"float32", largest_error(c, test::build<float>(chain), options), limit.for_float}};
  if constexpr (test::runs_unfused) {
    const auto unfused = thalweg::unfused(chain);
    all.push_back({"unfused float64", largest_error(c, test::build<double>(unfused), options), limit.for_double});
    all.push_back({"unfused float32", largest_error(c, test::build<float>(unfused), options), limit.for_float});
  }
  return all;
}

}  // namespace replay
