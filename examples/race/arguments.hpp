#pragma once
// Arguments of the command line, each checked. All throw `error`.

#include <charconv>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/core.h>

#include "error.hpp"
#include "task.hpp"

namespace race {

template <class T>
T number(std::string_view flag, std::string_view text, T low, T high) {
  T value{};
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (failure != std::errc{} || end != text.data() + text.size() || !(value >= low && value <= high))
    throw error(fmt::format("{} from {} to {}", flag, low, high), fmt::format("'{}'", text));
  return value;
}

std::vector<std::string> split(std::string_view text, char separator = ',');

// A chain that is no contender but a text, by its name or as chain1, chain2, …
struct named_chain {
  std::string key, text;
};

struct choice {
  std::vector<std::string> optimizers;  // keys
  std::vector<named_chain> chains;
};

// "adamw,muon", "all", or with chains "amuse; sign_momentum(beta=0.9) | adamw": these have commas of their own. A chain may
// have a name: "slow: adamw(beta1=0.95)".
// Throws what parse throws. `chains_before`: the number of chains that already have numbers.
choice chosen(std::string_view flag, const std::string& text, std::span<const std::string> known, std::size_t chains_before = 0);

// By the key of an optimizer.
using numbers_by_key = std::map<std::string, std::vector<double>>;

// "0.01" for everybody, "0.01,0.02" to be tried for everybody, or "adamw=0.002,amuse=0.01".
numbers_by_key numbers(std::string_view flag, std::string_view text, std::span<const std::string> known, bool several);

const named_task& task_of(const std::string& name);

}  // namespace race
