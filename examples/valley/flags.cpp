#include "flags.hpp"

#include <algorithm>
#include <utility>

#include <cxxopts.hpp>

#include "../race/text.hpp"
#include "controls.hpp"

namespace valley {
namespace {

std::vector<std::string> keys_of(const std::vector<race::contender>& all) {
  std::vector<std::string> keys;
  for (const race::contender& who : all) keys.push_back(who.key);
  return keys;
}

cxxopts::Options options(std::span<const std::string> known) {
  cxxopts::Options all("valley", "Where in the valley of the loss do optimizers go: from wall to wall, or down the river?\n");
  const auto text = [] { return cxxopts::value<std::string>(); };
  const auto or_else = [&](const std::string& standard) { return text()->default_value(standard); };
  auto add = all.add_options();
  add("task", "what is trained, as in the race", or_else("perceptron"), "NAME");
  add("data-folder", "where its files lie", text(), "FOLDER");
  add("optimizers", fmt::format("who trains, of {}; or all; or any chains between ';'", race::joined(known, ", ")),
      or_else("amuse,sf_muon,muon,sf_adamw"), "A,B,C");
  add("riders", fmt::format("who is given the gradients of another's training, beside the optimizers: of {}, or as above; "
                            "none: nobody", race::joined(keys_of(controls()), ", ")),
      or_else(race::joined(keys_of(controls()), ",")), "A,B,C");
  add("follow", "whose gradients: one of the optimizers (the first)", text(), "A");
  add("hidden", "widths of a perceptron's hidden layers (64,64)", text(), "N,N");
  add("steps", "the budget", text(), "N");
  add("batch", "examples a step", text(), "N");
  add("every", "a measurement ends at every multiple of so many steps (a tenth of the budget)", text(), "N");
  add("window", "steps that a measurement takes", or_else("50"), "N");
  add("eigenvectors", "dimensions of the dominant subspace", or_else("10"), "N");
  add("seed", "of the first weights and of the batches", or_else("1"), "N");
  add("seeds", "train so often, with successive seeds", or_else("1"), "N");
  add("lr", "other than the tuned ones: 0.01, or adamw=0.002,chain1=0.01", text(), "RATE");
  add("weight-decay", "other than 0.05, in the same forms", text(), "DECAY");
  add("warmup", "steps that warm up, as a share of the budget: 0.05", text(), "SHARE");
  add("output", "every number and every picture; runs that it has are not made again", or_else("valley"), "FOLDER");
  add("draw", "only the tables and the pictures of what the folder has");
  add("help", "this text");
  return all;
}

}  // namespace

std::optional<request> parse(int argc, const char* const* argv, std::span<const std::string> known) try {
  using race::error;
  using race::number;
  auto all = options(known);
  const auto given = all.parse(argc, argv);
  if (given.count("help")) {
    fmt::print("{}", all.help());
    return std::nullopt;
  }
  if (!given.unmatched().empty())
    throw error("options only (see --help)", fmt::format("'{}'", given.unmatched().front()));

  const auto text = [&](const char* flag) { return given[flag].as<std::string>(); };
  request r;
  r.task = &race::task_of(text("task"));
  r.settings.folder = given.count("data-folder") ? text("data-folder") : std::string(r.task->folder);
  r.settings.batch =
      given.count("batch") ? number<std::size_t>("--batch", text("batch"), 1, 1'000'000) : r.task->batch;
  if (given.count("hidden"))
    for (const std::string& width : race::split(text("hidden")))
      r.settings.hidden.push_back(number<std::size_t>("--hidden", width, 1, 4096));

  auto trained = race::chosen("--optimizers", text("optimizers"), known);
  r.optimizers = std::move(trained.optimizers);
  r.chains = std::move(trained.chains);
  r.followed = given.count("follow") ? text("follow") : r.optimizers.front();
  if (std::ranges::find(r.optimizers, r.followed) == r.optimizers.end())
    throw error(fmt::format("--follow of {}", race::joined(r.optimizers, ", ")), fmt::format("'{}'", r.followed));
  if (text("riders") != "none") {
    std::vector<std::string> can_ride = keys_of(controls());
    can_ride.insert(can_ride.end(), known.begin(), known.end());
    for (const auto& chain : r.chains) can_ride.push_back(chain.key);
    auto riding = race::chosen("--riders", text("riders"), can_ride, r.chains.size());
    r.riders = std::move(riding.optimizers);
    r.chains.insert(r.chains.end(), riding.chains.begin(), riding.chains.end());
  }

  for (const std::string& key : keys_of(controls()))
    if (std::ranges::find(r.chains, key, &race::named_chain::key) != r.chains.end())
      throw error("names of chains that no rider has", fmt::format("'{}'", key));

  plan& p = r.plan;
  p.steps = given.count("steps") ? number("--steps", text("steps"), 100l, 10'000'000l) : r.task->steps;
  p.every = given.count("every") ? number("--every", text("every"), 3l, p.steps) : p.steps / 10;
  p.window = number("--window", text("window"), 3l, p.every);
  p.eigenvectors = number<Eigen::Index>("--eigenvectors", text("eigenvectors"), 1, 100);
  r.seed = number("--seed", text("seed"), 0u, 1'000'000'000u);
  r.seeds = number("--seeds", text("seeds"), 1u, 1000u);
  std::vector<std::string> keys(known.begin(), known.end());
  for (const auto& chain : r.chains) keys.push_back(chain.key);
  if (given.count("lr")) r.lr = race::numbers("--lr", text("lr"), keys, false);
  if (given.count("weight-decay")) r.weight_decay = race::numbers("--weight-decay", text("weight-decay"), keys, false);
  if (given.count("warmup")) r.warmup = number("--warmup", text("warmup"), 0.0, 1.0);
  r.folder = text("output");
  r.draw_only = given.count("draw") > 0;
  return r;
} catch (const cxxopts::exceptions::exception& failure) {
  throw race::error("the options of --help", failure.what());
}

}  // namespace valley
