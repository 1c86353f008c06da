#include "flags.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <utility>
#include <vector>

#include "error.hpp"

namespace race {
namespace {

using thalweg::state_in;
constexpr std::array states{state_in::same, state_in::bfloat16, state_in::eight_bits};

std::vector<flag> flags(std::span<const std::string> known) {
  std::vector<flag> all = training_flags(known, "adamw,sf_adamw,muon,sf_muon,amuse");
  all.insert(all.end(), {
      {"tune", "try seven learning rates for each, or those of --lr 0.01,0.02, on examples that the race never uses"},
      {"state", "the type of the optimizers' state: same (as the weights), bfloat16 or eight_bits", "TYPE", "same"},
      {"ledger", "save each run here when it ends", "FILE", "race.jsonl"},
      {"resume", "skip the runs that are in the ledger"},
      {"csv", "write all numbers, in long format (race.csv; with --tune tune.csv)", "FILE"},
      {"plot", "write the picture, drawn by gnuplot", "FILE", "race.png"},
  });
  return all;
}

}  // namespace

std::optional<request> parse(int argc, const char* const* argv, std::span<const std::string> known) {
  const auto line =
      read("One model, the same batches, several optimizers: which one leads, at any step where you stop?", flags(known), argc, argv);
  if (!line) return std::nullopt;
  request r;
  read_training(r, *line, known);
  r.tune = line->has("tune");
  r.resume = line->has("resume");
  const auto state = std::ranges::find(states, (*line)["state"], [](auto s) { return thalweg::to_text(s); });
  if (state == states.end()) throw error("--state same, bfloat16 or eight_bits", "'" + (*line)["state"] + "'");
  r.state = *state;
  r.settings.tuning = r.tune;
  read_rates(r, *line, known, r.tune);
  r.csv = line->has("csv") ? (*line)["csv"] : r.tune ? "tune.csv" : "race.csv";
  r.plot = (*line)["plot"];
  r.ledger = (*line)["ledger"];
  for (const auto& [name, path] : {std::pair("--csv", &r.csv), std::pair("--ledger", &r.ledger)})
    if (!std::ofstream(*path, std::ios::app))  // better now than after the race
      throw error(std::string(name) + " of a file that can be written", "'" + path->string() + "'");
  return r;
}

}  // namespace race
