#include "flags.hpp"

#include <algorithm>
#include <utility>

#include "../race/text.hpp"
#include "controls.hpp"

namespace valley {
namespace {

std::vector<std::string> keys_of(const std::vector<race::contender>& all) {
  std::vector<std::string> keys;
  for (const race::contender& who : all) keys.push_back(who.key);
  return keys;
}

std::vector<race::flag> flags(std::span<const std::string> known) {
  std::vector<race::flag> all = race::training_flags(known, "amuse,sf_muon,muon,sf_adamw");
  const std::vector<std::string> controlling = keys_of(controls());
  all.insert(all.end(), {
      {"riders", "optimizers that get the gradients of another optimizer's training: " +
                     race::joined(controlling, ", ") + ", or as above; none: nobody", "A,B,C", race::joined(controlling, ",")},
      {"follow", "the optimizer whose gradients the riders get (default: the first)", "A"},
      {"every", "steps between the ends of two measurements (default: a tenth of the budget)", "N"},
      {"window", "steps of a measurement", "N", "50"},
      {"eigenvectors", "dimensions of the dominant subspace", "N", "10"},
      {"output", "folder for all numbers and pictures; runs that it has are skipped", "FOLDER", "valley"},
      {"draw", "only print the tables and draw the pictures of the folder"},
  });
  return all;
}

}  // namespace

std::optional<request> parse(int argc, const char* const* argv, std::span<const std::string> known) {
  using race::error;
  using race::number;
  const auto given =
      race::read("Where in the valley of the loss do optimizers go: from wall to wall, or down the river?", flags(known), argc, argv);
  if (!given) return std::nullopt;
  const race::command_line& line = *given;
  request r;
  read_training(r, line, known);
  r.followed = line.has("follow") ? line["follow"] : r.optimizers.front();
  if (std::ranges::find(r.optimizers, r.followed) == r.optimizers.end())
    throw error("--follow of " + race::joined(r.optimizers, ", "), "'" + r.followed + "'");
  const std::vector<std::string> controlling = keys_of(controls());
  if (line["riders"] != "none") {
    std::vector<std::string> can_ride = controlling;
    can_ride.insert(can_ride.end(), known.begin(), known.end());
    for (const auto& chain : r.chains) can_ride.push_back(chain.key);
    auto riding = race::chosen("--riders", line["riders"], can_ride, r.chains.size());
    r.riders = std::move(riding.optimizers);
    r.chains.insert(r.chains.end(), riding.chains.begin(), riding.chains.end());
  }
  for (const std::string& key : controlling)
    if (std::ranges::find(r.chains, key, &race::named_chain::key) != r.chains.end())
      throw error("chains with new names", "'" + key + "', the name of a rider");
  read_rates(r, line, known, false);

  plan& p = r.plan;
  p.steps = r.steps;
  p.every = line.has("every") ? number("--every", line["every"], 3l, p.steps) : p.steps / 10;
  p.window = number("--window", line["window"], 3l, p.every);
  p.eigenvectors = number<Eigen::Index>("--eigenvectors", line["eigenvectors"], 1, 100);
  r.folder = line["output"];
  r.draw_only = line.has("draw");
  return r;
}

}  // namespace valley
