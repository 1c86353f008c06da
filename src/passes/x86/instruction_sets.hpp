// x86-64, compiled for any: three ways to run a pass.
#pragma once

#include <xsimd/xsimd.hpp>

namespace thalweg::passes {

using architectures = xsimd::arch_list<xsimd::avx512bw, xsimd::fma3<xsimd::avx2>, xsimd::sse2>;

/// Whether this machine, and its operating system, have it.
template <class Arch>
bool is_available();
template <>
inline bool is_available<xsimd::avx512bw>() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512bw");
}
template <>
inline bool is_available<xsimd::fma3<xsimd::avx2>>() {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}
template <>
inline bool is_available<xsimd::sse2>() {
  return true;
}

}  // namespace thalweg::passes
