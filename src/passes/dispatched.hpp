// The library's passes. Code for every machine calls them; each instruction set has its own definition.
#pragma once

#include <array>
#include <cstddef>
#include <string>
#include <string_view>

#include <thalweg/core/pass.hpp>
#include <thalweg/core/program.hpp>
#include <thalweg/core/stored.hpp>

#include "instruction_sets.hpp"

namespace thalweg::passes {

/// Instantiated only in passes.cpp, which is compiled for each `Arch`.
template <class Arch, detail::traffic Writes, class T, class... Bound>
void pass(std::size_t n, const detail::arrays<T>& a, const Bound&... bound);
template <class Arch, class T, class Bound>
void reduction(std::size_t n, const detail::arrays<T>& a, double* sums, const Bound& bound);

/// Instantiated only in widening.cpp, which is compiled for each `Arch`.
template <class Arch>
void read(const detail::stored_array& from, std::size_t first, std::size_t n, float* to);
template <class Arch>
void write(const float* from, const detail::stored_array& to, std::size_t first, std::size_t n, detail::rounding how);

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
  void reduce(std::size_t n, const detail::arrays<T>& a, double* sums, const Bound& bound) const {
    on_set([&]<class Arch>(Arch) { reduction<Arch, T, Bound>(n, a, sums, bound); });
  }
  void read(const detail::stored_array& from, std::size_t first, std::size_t n, float* to) const {
    on_set([&]<class Arch>(Arch) { passes::read<Arch>(from, first, n, to); });
  }
  void write(const float* from, const detail::stored_array& to, std::size_t first, std::size_t n, detail::rounding how) const {
    on_set([&]<class Arch>(Arch) { passes::write<Arch>(from, to, first, n, how); });
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

/// An instruction set of this machine: its number in `architectures`, and its text in describe().
struct available_set {
  std::size_t number;
  std::string text;
};
/// Of `instruction_sets()[which]`.
const available_set& available(std::size_t which);

}  // namespace thalweg::passes
