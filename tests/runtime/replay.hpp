// A chain from text beside the same chain compiled: bit for bit.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/text.hpp>

#include "../core/model.hpp"

namespace test {

/// Every length around the registers' width, matrices, one parameter that is cut among threads and into tiles.
inline std::vector<layer> all_lengths() {
  auto all = varied_layers();
  all.push_back({"tile and a bit", {1027}});
  for (std::size_t n = 1; n < 35; ++n) all.push_back({thalweg::in_words("length ", n), {n}});
  return all;
}

inline const thalweg::options replay_settings{
    .lr = 0.02, .weight_decay = 0.05, .warmup_steps = 3, .parallel = thalweg::threads(3)};

/// The instruction set for which this file is compiled, as the library counts them.
inline std::size_t set_of_here() {
  const auto sets = thalweg::instruction_sets();
  return static_cast<std::size_t>(std::ranges::find(sets, std::string_view(xsimd::default_arch::name())) - sets.begin());
}

/// The parameters after every step, and x after the last.
template <class T, class Optimizer>
std::vector<typename model<T>::arrays> course(model<T>& m, Optimizer opt) {
  std::vector<typename model<T>::arrays> seen;
  for (long t = 1; t <= 6; ++t) {
    m.differentiate(t);
    if (t == 5) opt.lr(0.01);
    opt.step(m.gradients, {.loss = 1 + 1.0 / static_cast<double>(t)});
    seen.push_back(m.values);
  }
  for (const auto& x : both_x(m, opt)) seen.push_back(x);
  return seen;
}

template <class T, class Chain>
void replays(const Chain& given, const std::vector<layer>& layers = all_lengths()) {
  using namespace thalweg;
  const auto links = chain(given);
  const std::string text = to_text(links);
  CAPTURE(text);
  const auto parsed = parse(text);
  CHECK(to_text(parsed) == text);
  model<T> a(layers), b(layers);
  const auto expected = course(a, optimizer(links, a.parameters(), replay_settings));
  const auto seen = course(b, optimizer(on_instruction_set{set_of_here(), parsed}, b.parameters(), replay_settings));
  REQUIRE(seen.size() == expected.size());
  for (std::size_t i = 0; i < seen.size(); ++i) {
    CAPTURE(i);
    CHECK(same_bits(seen[i], expected[i]));
  }
}

}  // namespace test
