// What a pass is, for the units that are compiled for one instruction set each.
#pragma once

#include <array>
#include <cstddef>

#include "passes.hpp"

namespace thalweg::compiled {

template <class Arch, thalweg::detail::traffic Traffic, class T, class... Bound>
[[gnu::flatten]] void pass(std::size_t n, const thalweg::detail::arrays<T>& a, const Bound&... bound) {
  thalweg::detail::run_pass<dispatched_passes, number<xsimd::batch<T, Arch>>, Traffic>(n, a, bound...);
}

template <class Arch, class T, class Bound>
std::array<double, Bound::count> reduction(std::size_t n, const T* update, const T* gradient, const T* parameter,
                                           const Bound& bound) {
  return thalweg::detail::run_reduction<dispatched_passes, number<xsimd::batch<double, Arch>>>(n, update, gradient,
                                                                                               parameter, bound);
}

}  // namespace thalweg::compiled
