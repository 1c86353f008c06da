// The instruction sets for which the library holds passes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace thalweg {

/// Those that this machine has, the best first. An optimizer takes the best; `describe()` says which.
std::span<const std::string_view> instruction_sets();

/// What an optimizer can be made from, to be run on another of `instruction_sets()`: to compare them.
template <class Given>
struct on_instruction_set {
  std::size_t which;
  Given given;
};
template <class Given>
on_instruction_set(std::size_t, Given) -> on_instruction_set<Given>;

}  // namespace thalweg
