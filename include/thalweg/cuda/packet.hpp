// Several adjacent numbers, as one access to memory.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>

namespace thalweg::cuda::detail {

/// The numbers that a thread loads and stores at once.
template <class T, std::size_t Width>
struct alignas(Width * sizeof(T)) packet {
  T values[Width];

  static constexpr packet load(const T* from) { return *reinterpret_cast<const packet*>(from); }
  constexpr void store(T* to) const {
#ifdef __CUDA_ARCH__  // nvcc tears some assignments apart
    if constexpr (sizeof(packet) == 16) return __stwb(reinterpret_cast<uint4*>(to), std::bit_cast<uint4>(*this));
    if constexpr (sizeof(packet) == 8) return __stwb(reinterpret_cast<uint2*>(to), std::bit_cast<uint2>(*this));
#endif
    *reinterpret_cast<packet*>(to) = *this;
  }
};
template <class T>
constexpr std::size_t packet_width = 16 / sizeof(T);

template <class T>
constexpr bool is_aligned(const T* p) { return reinterpret_cast<std::uintptr_t>(p) % 16 == 0; }

}  // namespace thalweg::cuda::detail
