// The one way to run code on the device; tests replace this file by one that runs it on the host.
#pragma once

#include <cstddef>
#include <type_traits>

#include <cuda_runtime.h>
#include <thalweg/cuda/device.hpp>

namespace thalweg::cuda {

inline constexpr std::size_t threads_per_block = 256;

namespace detail {
template <class Body>
__global__ void __launch_bounds__(threads_per_block) run(const __grid_constant__ Body body) {
  body(static_cast<std::size_t>(blockIdx.x), static_cast<std::size_t>(threadIdx.x));
}
}  // namespace detail

/// Calls body(block, thread) for every thread of `blocks` blocks, in the stream's order and in no order among them;
/// returns at once. A body is a small value: a struct (no lambda) whose call operator is const and constexpr, which
/// makes it the device's as well. Threads share nothing: a sum over many is two launches.
///
///     struct twice {
///       float* x;
///       std::size_t n;
///       constexpr void operator()(std::size_t block, std::size_t thread) const {
///         if (const auto i = block * threads_per_block + thread; i < n) x[i] *= 2;
///       }
///     };
///     launch(stream, blocks_for(n), twice{x, n});
template <class Body>
void launch(cudaStream_t stream, std::size_t blocks, const Body& body) {
  static_assert(std::is_trivially_copyable_v<Body>, "a kernel's arguments are copied byte by byte");
  static_assert(sizeof(Body) <= 4096, "a kernel's arguments fill 4 KiB at most");
  if (!blocks) return;
  detail::run<<<static_cast<unsigned>(blocks), static_cast<unsigned>(threads_per_block), 0, stream>>>(body);
  check("a kernel that starts", cudaGetLastError());
}

/// How many blocks have a thread for each of n things.
constexpr std::size_t blocks_for(std::size_t n) { return (n + threads_per_block - 1) / threads_per_block; }

}  // namespace thalweg::cuda
