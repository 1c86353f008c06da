// The passes of the compiled recipes: called from code that every machine runs, defined once an instruction set.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <thalweg/core/pass.hpp>

#include "instruction_sets.hpp"

namespace thalweg::compiled {

/// Instantiated in passes.cpp alone, which is compiled for each `Arch`.
template <class Arch, thalweg::detail::traffic Traffic, class T, class... Bound>
void pass(std::size_t n, const thalweg::detail::arrays<T>& a, const Bound&... bound);

/// Those of the instruction set chosen when the optimizer was made.
struct dispatched_passes {
  static constexpr bool fused = true;
  std::size_t set;  ///< which of `architectures`
  std::string_view text;

  template <thalweg::detail::traffic Traffic, class T, class... Bound>
  void run(std::size_t n, const thalweg::detail::arrays<T>& a, const Bound&... bound) const {
    [&]<class... Arch>(xsimd::arch_list<Arch...>) {
      std::size_t i = 0;
      (void)((i++ == set && (pass<Arch, Traffic, T, Bound...>(n, a, bound...), true)) || ...);
    }(architectures());
  }
};

/// Of `instruction_sets()[set]`.
dispatched_passes passes_for(std::size_t set);

}  // namespace thalweg::compiled
