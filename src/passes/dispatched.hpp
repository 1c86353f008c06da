// The library's passes: called from code that every machine runs, defined once an instruction set.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <thalweg/core/pass.hpp>
#include <thalweg/core/program.hpp>

#include "instruction_sets.hpp"

namespace thalweg::passes {

/// Instantiated in passes.cpp alone, which is compiled for each `Arch`.
template <class Arch, detail::traffic Writes, class T, class... Bound>
void pass(std::size_t n, const detail::arrays<T>& a, const Bound&... bound);
template <class Arch, class T, class Bound>
std::array<double, Bound::count> reduction(std::size_t n, const T* update, const T* gradient, const T* parameter,
                                           const Bound& bound);

/// Those of one of `architectures`, by its number.
struct dispatched {
  static constexpr bool fused = true;
  std::size_t set;
  static dispatched in(std::size_t set) { return {set}; }

  template <detail::traffic Writes, class T, class... Bound>
  void run(std::size_t n, const detail::arrays<T>& a, const Bound&... bound) const {
    on_set([&]<class Arch>(Arch) { pass<Arch, Writes, T, Bound...>(n, a, bound...); });
  }
  template <class T, class Bound>
  auto reduce(std::size_t n, const T* update, const T* gradient, const T* parameter, const Bound& bound) const {
    std::array<double, Bound::count> sums{};
    on_set([&]<class Arch>(Arch) { sums = reduction<Arch, T, Bound>(n, update, gradient, parameter, bound); });
    return sums;
  }

private:
  template <class F>
  void on_set(F f) const {
    [&]<class... Arch>(xsimd::arch_list<Arch...>) {
      std::size_t i = 0;
      (void)((i++ == set && (f(Arch()), true)) || ...);
    }(architectures());
  }
};

/// One that this machine has: its number among `architectures`, and what describe() says of it.
struct available_set {
  std::size_t number;
  std::string text;
};
/// Of `instruction_sets()[which]`.
const available_set& available(std::size_t which);

}  // namespace thalweg::passes
