// The passes of the compiled recipes: called from code that every machine runs, defined once an instruction set.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <thalweg/core/pass.hpp>

#include "instruction_sets.hpp"

namespace thalweg::compiled {

/// Instantiated in passes.cpp alone, which is compiled for each `Arch`.
template <class Arch, thalweg::detail::traffic Traffic, class T, class... Bound>
void pass(std::size_t n, const thalweg::detail::arrays<T>& a, const Bound&... bound);
template <class Arch, class T, class Bound>
std::array<double, Bound::count> reduction(std::size_t n, const T* update, const T* gradient, const T* parameter,
                                           const Bound& bound);

/// Those of the instruction set chosen when the optimizer was made.
struct dispatched_passes {
  static constexpr bool fused = true;
  std::size_t set;  ///< which of `architectures`
  std::string_view text;

  template <thalweg::detail::traffic Traffic, class T, class... Bound>
  void run(std::size_t n, const thalweg::detail::arrays<T>& a, const Bound&... bound) const {
    dispatch([&]<class Arch>(Arch) { pass<Arch, Traffic, T, Bound...>(n, a, bound...); });
  }
  template <class T, class Bound>
  auto reduce(std::size_t n, const T* update, const T* gradient, const T* parameter, const Bound& bound) const {
    std::array<double, Bound::count> sums{};
    dispatch([&]<class Arch>(Arch) { sums = reduction<Arch, T, Bound>(n, update, gradient, parameter, bound); });
    return sums;
  }

private:
  template <class F>
  void dispatch(F f) const {
    [&]<class... Arch>(xsimd::arch_list<Arch...>) {
      std::size_t i = 0;
      (void)((i++ == set && (f(Arch()), true)) || ...);
    }(architectures());
  }
};

/// Of `instruction_sets()[set]`.
dispatched_passes passes_for(std::size_t set);

}  // namespace thalweg::compiled
