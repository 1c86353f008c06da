// Replays the reference cases of the recipes in device memory. One program for a GPU and for the double of CUDA's: the
// includes' folders decide.
#pragma once

#include <cstdio>
#include <exception>
#include <fstream>
#include <stdexcept>
#include <string>

#include <thalweg/cuda/optimizer.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>

#include "../replay/recipes.hpp"
#include "beside_host.hpp"
#include "model_on_device.hpp"

namespace replay_on_device {

using namespace thalweg;
using replay::hyperparameters;
using replay::json;

template <class T, class Chain>
double largest_error(const json& c, const Chain& chain, const options& o) {
  const auto initial = replay::initial_values<T>(c);
  test::arrays_on_device<T> values(initial), gradients(initial);
  auto parameters = replay::parameters_of<T>(c);
  for (std::size_t i = 0; i < parameters.size(); ++i) parameters[i].data = values[i].data();
  cuda::optimizer opt(chain, parameters, o);
  const auto step = [&](const auto& g) {
    gradients.put(g);
    opt.step(gradients.spans());
  };
  return replay::largest_error<T>(c, opt, step, [&] { return values.get(); });
}

struct errors {
  double in_double, in_float;
};
template <class Chain>
errors run(const json& c, const Chain& chain, const options& o) {
  return {largest_error<double>(c, chain, o), largest_error<float>(c, chain, o)};
}

inline errors run(const json& c, hyperparameters& h) {
  const auto o = replay::options_of(h);
  const std::string name = c.at("optimizer");
  const auto adam = [&] { return recipes::adamw({.beta1 = h("beta1"), .beta2 = h("beta2"), .epsilon = h("eps")}); };
  if (name == "adamw") return run(c, adam(), o);
  if (name == "lion") return run(c, recipes::lion({.beta1 = h("beta1"), .beta2 = h("beta2")}), o);
  if (name == "schedule_free_adamw")
    return run(c, recipes::sf_adamw({.beta1 = h("beta1"), .beta2 = h("beta2"), .epsilon = h("eps")}), o);
  if (name == "muon") return run(c, replay::muon_of(h), o);
  if (name == "amuse") return run(c, replay::amuse_of(h), o);
  throw std::runtime_error("no recipe for " + name);
}

inline bool replayed(const std::string& path) {
  const std::string name = path.substr(path.find_last_of('/') + 1);
  try {
    std::ifstream stream(path);
    if (!stream) throw std::runtime_error("cannot be read");
    const auto c = json::parse(stream);
    hyperparameters h(c.at("hyperparameters"));
    const auto e = run(c, h);
    h.expect_none_left();
    const auto limit = replay::allowed(c);
    const bool ok = e.in_double <= limit.for_double && e.in_float <= limit.for_float;
    std::printf("%-34s float64 %.1e (<= %.0e)   float32 %.1e (<= %.0e)   %s\n", name.c_str(), e.in_double,
                limit.for_double, e.in_float, limit.for_float, ok ? "ok" : "FAILED");
    return ok;
  } catch (const std::exception& e) {
    std::printf("%-34s %s   FAILED\n", name.c_str(), e.what());
    return false;
  }
}

/// What no recipe does: sums, in the middle of a chain and over the model, over arrays of any length and alignment.
inline bool sums_like_host() {
  const auto chain = ema{} | clip_by_global_norm{.max_norm = 0.5} | recipes::lamb();
  bool ok = true;
  for (const std::size_t offset : {0, 1, 2, 3}) {
    const auto seen =
        test::beside_host<float>(chain, {.lr = 0.02, .weight_decay = 0.05}, test::lengths(), offset, 3 - offset);
    const bool good = seen.travelled > 1e-3 && seen.apart_at_y <= test::rounding<float> && seen.y_is_back &&
                      seen.sentinels_stand;
    std::printf("sums, arrays %zu from alignment     %.1e from the host's (<= %.0e)   %s\n", offset, seen.apart_at_y,
                test::rounding<float>, good ? "ok" : "FAILED");
    ok &= good;
  }
  return ok;
}

/// The exit status for files of cases; 77 where there is no device.
inline int replayed(int count, char** files) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("no GPU");
    return 77;
  }
  bool ok = count > 1 && sums_like_host();
  for (int i = 1; i < count; ++i) ok &= replayed(files[i]);
  return ok ? 0 : 1;
}

}  // namespace replay_on_device
