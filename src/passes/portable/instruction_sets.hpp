// On other processors, and in builds for one machine: the passes use the instruction set of the whole library.
#pragma once

#include <xsimd/xsimd.hpp>

namespace thalweg::passes {

using architectures = xsimd::arch_list<xsimd::default_arch>;

template <class Arch>
bool is_available() {
  return true;
}

}  // namespace thalweg::passes
