// The registers of this machine, as xsimd knows them.
#pragma once

#include <xsimd/xsimd.hpp>

#include <thalweg/core/number.hpp>
#include <thalweg/core/square_root.hpp>

namespace thalweg {

/// The number of elements in the widest register for which the user compiles.
template <class T>
using lanes = number<xsimd::batch<T>>;

}  // namespace thalweg
