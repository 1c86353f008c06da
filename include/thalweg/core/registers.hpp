// The registers of this machine, as xsimd knows them.
#pragma once

#include <xsimd/xsimd.hpp>

#include <thalweg/core/number.hpp>
#include <thalweg/core/square_root.hpp>

namespace thalweg {

/// As many numbers as a register of the widest kind for which the user compiles has room for.
template <class T>
using lanes = number<xsimd::batch<T>>;

}  // namespace thalweg
