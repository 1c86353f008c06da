#include "flags.hpp"

#include <algorithm>
#include <fstream>
#include <string_view>
#include <utility>

#include <cxxopts.hpp>
#include <fmt/format.h>

#include "error.hpp"
#include "text.hpp"

namespace race {
namespace {

// Who races where nobody says.
constexpr std::string_view usual = "adamw,sf_adamw,muon,sf_muon,amuse";

cxxopts::Options options(std::span<const std::string> known) {
  cxxopts::Options all("race", "One model, the same batches, several optimizers: who leads, wherever you stop?\n");
  const auto text = [] { return cxxopts::value<std::string>(); };
  const auto or_else = [&](const std::string& standard) { return text()->default_value(standard); };
  auto add = all.add_options();
  add("task", "what is trained: perceptron, digits, gpt, convnet, convnet_batch_norm or vit", or_else("perceptron"), "NAME");
  add("data-folder", "where its files lie", text(), "FOLDER");
  add("optimizers", fmt::format("who races, of {}; or all; or any chains: \"amuse; sign_momentum(beta=0.9) | cautious; adan\"",
      joined(known, ", ")), or_else(std::string(usual)), "A,B,C");
  add("hidden", "widths of a perceptron's hidden layers (64,64)", text(), "N,N");
  add("steps", "the budget", text(), "N");
  add("batch", "examples a step", text(), "N");
  add("seed", "of the first weights and of the batches", or_else("1"), "N");
  add("seeds", "race so often, with successive seeds: mean ± standard deviation", or_else("1"), "N");
  add("lr", "other than the tuned ones: 0.01, or adamw=0.002,chain1=0.01; with --tune those to try: 0.01,0.02", text(), "RATE");
  add("weight-decay", "other than 0.05, in the same forms", text(), "DECAY");
  add("warmup", "steps that warm up, as a share of the budget: 0.05", text(), "SHARE");
  add("tune", "try seven learning rates for each, judged on examples that the race never sees");
  add("ledger", "keeps every run as soon as it is over", or_else("race.jsonl"), "FILE");
  add("resume", "take from the ledger the runs that it has");
  add("csv", "every number, in long format (race.csv; when tuning tune.csv)", text(), "FILE");
  add("plot", "the picture, drawn by gnuplot", or_else("race.png"), "FILE");
  add("help", "this text");
  return all;
}

}  // namespace

std::optional<request> parse(int argc, const char* const* argv, std::span<const std::string> known) try {
  auto all = options(known);
  const auto given = all.parse(argc, argv);
  if (given.count("help")) {
    fmt::print("{}", all.help());
    return std::nullopt;
  }
  if (!given.unmatched().empty())
    throw error("options only (see --help)", fmt::format("'{}'", given.unmatched().front()));

  const auto text = [&](const char* flag) { return given[flag].as<std::string>(); };
  const auto text_or = [&](const char* flag, const std::string& standard) {
    return given.count(flag) ? text(flag) : standard;
  };
  request r;
  r.task = &task_of(text("task"));
  r.tune = given.count("tune") > 0;
  r.resume = given.count("resume") > 0;
  r.settings.folder = text_or("data-folder", std::string(r.task->folder));
  r.settings.batch = r.task->batch;
  r.settings.tuning = r.tune;
  auto who = chosen("--optimizers", text("optimizers"), known);
  r.optimizers = std::move(who.optimizers);
  r.chains = std::move(who.chains);
  if (given.count("hidden"))
    for (const std::string& width : split(text("hidden")))
      r.settings.hidden.push_back(number<std::size_t>("--hidden", width, 1, 4096));
  r.steps = given.count("steps") ? number("--steps", text("steps"), 100l, 10'000'000l) : r.task->steps;
  if (given.count("batch")) r.settings.batch = number<std::size_t>("--batch", text("batch"), 1, 1'000'000);
  r.seed = number("--seed", text("seed"), 0u, 1'000'000'000u);
  r.seeds = number("--seeds", text("seeds"), 1u, 1000u);
  std::vector<std::string> keys(known.begin(), known.end());
  for (const auto& chain : r.chains) keys.push_back(chain.key);
  if (given.count("lr")) r.lr = numbers("--lr", text("lr"), keys, r.tune);
  if (given.count("weight-decay")) r.weight_decay = numbers("--weight-decay", text("weight-decay"), keys, r.tune);
  if (given.count("warmup")) r.warmup = number("--warmup", text("warmup"), 0.0, 1.0);
  r.csv = text_or("csv", r.tune ? "tune.csv" : "race.csv");
  r.plot = text("plot");
  r.ledger = text("ledger");
  for (const auto& [flag, path] : {std::pair("--csv", &r.csv), std::pair("--ledger", &r.ledger)})
    if (!std::ofstream(*path, std::ios::app))  // better now than after the race
      throw error(fmt::format("{} of a file that can be written", flag), fmt::format("'{}'", path->string()));
  return r;
} catch (const cxxopts::exceptions::exception& failure) {
  throw error("the options of --help", failure.what());
}

}  // namespace race
