#include <string>
#include <vector>

#include <thalweg/compiled.hpp>
#include <thalweg/core/error.hpp>

#include "passes.hpp"

namespace thalweg::compiled {

namespace {

struct instruction_set {
  std::size_t index;  ///< in `architectures`
  std::string_view name;
};

/// Those that the machine has.
const std::vector<instruction_set>& available() {
  static const auto sets = []<class... Arch>(xsimd::arch_list<Arch...>) {
    std::vector<instruction_set> sets;
    std::size_t i = 0;
    ((is_available<Arch>() ? sets.push_back({i, Arch::name()}) : void(), ++i), ...);
    return sets;
  }(architectures());
  return sets;
}

}  // namespace

std::span<const std::string_view> instruction_sets() {
  static const auto names = [] {
    std::vector<std::string_view> names;
    for (const auto& set : available()) names.push_back(set.name);
    return names;
  }();
  return names;
}

dispatched_passes passes_for(std::size_t set) {
  if (set >= available().size())
    throw error("optimizer", "Expected an instruction set below ", available().size(), ". Received ", set, ".");
  static const auto texts = [] {  // they outlive every optimizer
    std::vector<std::string> texts;
    for (const auto& s : available()) texts.push_back(in_words("compiled for ", s.name));
    return texts;
  }();
  return {.set = available()[set].index, .text = texts[set]};
}

}  // namespace thalweg::compiled
