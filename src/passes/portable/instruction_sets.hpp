// Everywhere else, and where one machine is compiled for: what the whole library is compiled for.
#pragma once

#include <xsimd/xsimd.hpp>

namespace thalweg::passes {

using architectures = xsimd::arch_list<xsimd::default_arch>;

template <class Arch>
bool is_available() {
  return true;
}

}  // namespace thalweg::passes
