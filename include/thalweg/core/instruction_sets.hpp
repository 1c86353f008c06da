// The instruction sets for which the library has passes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <utility>

namespace thalweg {

/// The instruction sets of this machine, the best first. An optimizer uses the best, and `describe()` names it.
std::span<const std::string_view> instruction_sets();

/// Makes an optimizer of `given` run on `instruction_sets()[which]`, to compare instruction sets.
template <class Given>
struct on_instruction_set {
  std::size_t which;
  Given given;
};
template <class Given>
on_instruction_set(std::size_t, Given) -> on_instruction_set<Given>;

}  // namespace thalweg
