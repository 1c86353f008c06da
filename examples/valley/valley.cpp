// Trains a model with several optimizers, and measures where in the valley of the loss each of them goes.

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <exception>
#include <iterator>
#include <string>
#include <vector>

#include <fmt/core.h>

#include <thalweg/text.hpp>

#include "../race/contenders.hpp"
#include "controls.hpp"
#include "error.hpp"
#include "flags.hpp"
#include "plot.hpp"
#include "settings.hpp"
#include "summary.hpp"
#include "table.hpp"
#include "watch.hpp"

using namespace valley;

namespace {

// Those who train, then those who only ride, each with the settings that were asked for.
std::vector<race::contender> everybody(const request& request, const race::description& about) {
  std::vector<race::contender> known = race::contenders(request.task->name, about, request.plan.steps);
  std::ranges::move(controls(), std::back_inserter(known));
  for (const auto& [key, chain] : request.chains) known.push_back(race::contender_of(key, chain, request.plan.steps));
  std::vector<std::string> keys = request.optimizers;
  keys.insert(keys.end(), request.riders.begin(), request.riders.end());
  std::vector<race::contender> all;
  for (const std::string& key : keys) {
    if (std::ranges::find(all, key, &race::contender::key) != all.end()) continue;
    race::contender who = *std::ranges::find(known, key, &race::contender::key);
    if (const auto lr = request.lr.find(key); lr != request.lr.end()) who.lr = lr->second.front();
    if (const auto decay = request.weight_decay.find(key); decay != request.weight_decay.end())
      who.weight_decay = decay->second.front();
    if (request.warmup) who.warmup_steps = std::lround(*request.warmup * static_cast<double>(request.plan.steps));
    all.push_back(who);
  }
  return all;
}

void train_all(const request& request) {
  const auto task = request.task->make(request.settings);
  const auto about = task->describe();
  const std::vector<race::contender> all = everybody(request, about);
  const long steps = request.plan.steps, every = request.plan.every;
  keep_settings(request.folder, {about, request.plan, request.followed, all});
  const observations kept = read(request.folder);

  const auto start = std::chrono::steady_clock::now();
  const auto trains = [&](const race::contender& who) {
    return std::ranges::find(request.optimizers, who.key) != request.optimizers.end();
  };
  const double runs = static_cast<double>(std::ranges::count_if(all, trains) * request.seeds);
  double over = 0, skipped = 0;
  for (const race::contender& leader : all) {
    if (!trains(leader)) continue;
    const std::string& key = leader.key;
    std::vector<race::contender> riders;
    if (key == request.followed)
      std::ranges::copy_if(all, std::back_inserter(riders), [&](const race::contender& who) { return who.key != key; });
    for (unsigned seed = request.seed; seed < request.seed + request.seeds; ++seed) {
      if (std::ranges::any_of(kept.numbers, [&](const measured& m) { return m.trajectory == key && m.seed == seed; })) {
        ++skipped;
        continue;
      }
      plan plan = request.plan;
      const auto drawn = [&](const point_of_plane& p) { return p.optimizer == key; };
      if (seed == request.seed && std::ranges::none_of(kept.plane, drawn))
        plan.plane_at = (steps / every + 1) / 2 * every;  // the middle one
      const auto seen = watch(*task, leader, riders, plan, seed, [&](long step) {
        const double done = over + static_cast<double>(step) / static_cast<double>(steps);
        const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
        const bool terminal = isatty(STDERR_FILENO);
        fmt::print(stderr, "{}{}  seed {}  step {} of {}  (run {:.0f} of {:.0f}, {:.0f} s left){}", terminal ? "\r\033[K" : "",
                   leader.name, seed, step, steps, over + skipped + 1, runs, seconds * (runs - skipped - done) / done,
                   terminal ? "" : "\n");
        std::fflush(stderr);
      });
      append(request.folder, seen);
      ++over;
    }
  }
  if (over > 0 && isatty(STDERR_FILENO)) fmt::print(stderr, "\r\033[K");
}

void show(const std::filesystem::path& folder) {
  const settings settings = read_settings(folder);
  const observations all = read(folder);
  fmt::print("{}: a {}, {} steps of {}.\nEach measurement: {} steps, with the top {} eigenvectors.\n\n", settings.about.data,
             settings.about.model, settings.plan.steps, settings.about.batches, settings.plan.window,
             settings.plan.eigenvectors);
  for (const race::contender& who : settings.optimizers)
    fmt::print("{}: lr {}, {}\n", who.name, who.lr, who.chain);
  fmt::print("\n{}Every number: {}\n", tables(all, settings), folder.string());
  std::fflush(stdout);
  const auto measures = folder / "valley.png", planes = folder / "plane.png";
  if (draw_measures(measures, all, settings) && draw_planes(planes, all, settings))
    fmt::print("The pictures: {}, {}\n", measures.string(), planes.string());
  else
    fmt::print(stderr, "No pictures: gnuplot is missing or failed (apt-get install gnuplot-nox).\n");
}

}  // namespace

int main(int argc, char** argv) {
  return race::exit_status([&] {
    std::vector<std::string> keys;
    for (const race::contender& who : race::contenders("", {}, 100)) keys.push_back(who.key);
    const auto request = parse(argc, argv, keys);
    if (!request) return;
    if (!request->draw_only) train_all(*request);
    show(request->folder);
  });
}
