#include "training.hpp"

#include <utility>

#include "text.hpp"

namespace race {

std::vector<flag> training_flags(std::span<const std::string> known, const std::string& usual) {
  return {
      {"task", "the task: perceptron, digits, gpt, gpt_1m, convnet, convnet_batch_norm or vit", "NAME", "perceptron"},
      {"data-folder", "the folder with the task's files", "FOLDER"},
      {"optimizers", "the optimizers, of " + joined(known, ", ") +
                         "; or all; or any chains: \"amuse; sign_momentum(beta=0.9) | cautious; adan\"", "A,B,C", usual},
      {"hidden", "widths of a perceptron's hidden layers (64,64)", "N,N"},
      {"steps", "the budget", "N"},
      {"batch", "examples per step", "N"},
      {"seed", "seed of the initial weights and of the batches", "N", "1"},
      {"seeds", "number of runs, with successive seeds: mean ± standard deviation", "N", "1"},
      {"lr", "learning rates instead of the tuned ones: 0.01, or adamw=0.002,chain1=0.01", "RATE"},
      {"weight-decay", "weight decay instead of 0.05, in the same forms", "DECAY"},
      {"warmup", "length of the warm-up, as a share of the budget: 0.05", "SHARE"},
  };
}

void read_training(training& r, const command_line& line, std::span<const std::string> known) {
  r.task = &task_of(line["task"]);
  r.settings.folder = line.has("data-folder") ? line["data-folder"] : std::string(r.task->folder);
  r.settings.batch = line.has("batch") ? number<std::size_t>("--batch", line["batch"], 1, 1'000'000) : r.task->batch;
  if (line.has("hidden"))
    for (const std::string& width : split(line["hidden"]))
      r.settings.hidden.push_back(number<std::size_t>("--hidden", width, 1, 4096));
  choice who = chosen("--optimizers", line["optimizers"], known);
  r.optimizers = std::move(who.optimizers);
  r.chains = std::move(who.chains);
  if (line.has("warmup")) r.warmup = number("--warmup", line["warmup"], 0.0, 1.0);
  r.steps = line.has("steps") ? number("--steps", line["steps"], 100l, 10'000'000l) : r.task->steps;
  r.seed = number("--seed", line["seed"], 0u, 1'000'000'000u);
  r.seeds = number("--seeds", line["seeds"], 1u, 1000u);
}

void read_rates(training& r, const command_line& line, std::span<const std::string> known, bool several) {
  std::vector<std::string> keys(known.begin(), known.end());
  for (const named_chain& chain : r.chains) keys.push_back(chain.key);
  if (line.has("lr")) r.lr = numbers("--lr", line["lr"], keys, several);
  if (line.has("weight-decay")) r.weight_decay = numbers("--weight-decay", line["weight-decay"], keys, several);
}

}  // namespace race
