// What a pass is, for the units that are compiled for one instruction set each.
#pragma once

#include <cstddef>

#include "passes.hpp"

namespace thalweg::compiled {

template <class Arch, thalweg::detail::traffic Traffic, class T, class... Bound>
[[gnu::flatten]] void pass(std::size_t n, const thalweg::detail::arrays<T>& a, const Bound&... bound) {
  thalweg::detail::run_pass<dispatched_passes, number<xsimd::batch<T, Arch>>, Traffic>(n, a, bound...);
}

}  // namespace thalweg::compiled
