// Runs code on the device. Tests replace this file by one that runs the code on the host.
#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#include <cuda_runtime.h>
#include <thalweg/cuda/device.hpp>

namespace thalweg::cuda {

inline constexpr std::size_t threads_per_block = 256;

namespace detail {
template <class Body>
struct body_itself { using body = Body; };

/// A body for the device. CUDA allows no lambda in the name of a kernel, and the bodies of chains contain lambdas.
template <std::size_t Bytes>
struct alignas(16) argument { unsigned char bytes[Bytes]; };

template <class Tag>
using argument_of = argument<sizeof(typename Tag::body)>;

template <class Tag>
__global__ void __launch_bounds__(threads_per_block) run(const __grid_constant__ argument_of<Tag> a) {
  const auto& body = reinterpret_cast<const typename Tag::body&>(a);
  const std::size_t block = blockIdx.x, thread = threadIdx.x;
  if constexpr (std::is_void_v<decltype(body(block, thread))>) {
    body(block, thread);
  } else {
    auto mine = body(block, thread);
    __shared__ double sums[mine.size()][threads_per_block];
    for (std::size_t k = 0; k < mine.size(); ++k) sums[k][thread] = mine[k];
    for (std::size_t half = threads_per_block / 2; half; half /= 2) {
      __syncthreads();
      if (thread < half)
        for (std::size_t k = 0; k < mine.size(); ++k) sums[k][thread] += sums[k][thread + half];
    }
    if (thread) return;
    for (std::size_t k = 0; k < mine.size(); ++k) mine[k] = sums[k][0];
    body.finish(block, mine);
  }
}
}  // namespace detail

/// Calls body(block, thread) for every thread of `blocks` blocks, on the stream, in any order; returns at once. A body
/// is a small struct (not a lambda) whose call operator is const and constexpr, so that the device can run it. Threads
/// share nothing.
///
///     struct twice {
///       float* x;
///       std::size_t n;
///       constexpr void operator()(std::size_t block, std::size_t thread) const {
///         if (const auto i = block * threads_per_block + thread; i < n) x[i] *= 2;
///       }
///     };
///     launch(stream, blocks_for(n), twice{x, n});
///
/// If body(block, thread) returns a std::array of doubles, body.finish(block, sums) gets their sums over each block.
/// The order of additions is always the same.
///
/// If the types of a body contain lambdas, give it a `Tag` without lambdas: `launch_as<Tag>(stream, blocks, body)` with
/// a `Tag::body`.
template <class Tag>
void launch_as(cudaStream_t stream, std::size_t blocks, const typename Tag::body& body) {
  using type = typename Tag::body;
  static_assert(std::is_trivially_copy_constructible_v<type> && std::is_trivially_destructible_v<type>,
                "thalweg: a kernel's arguments are copied byte by byte");
  static_assert(sizeof(type) <= 4096, "thalweg: a kernel's arguments fill 4 KiB at most");
  if (!blocks) return;
  if (blocks > 0x7FFFFFFF) throw error("cuda", "Expected at most 2147483647 blocks. Received ", blocks, ".");
  detail::argument_of<Tag> argument;
  std::memcpy(&argument, &body, sizeof body);
  void* arguments[] = {&argument};
  // By its own status: the last error may come from an earlier call of the user.
  check("a kernel that starts",
        cudaLaunchKernel(reinterpret_cast<const void*>(&detail::run<Tag>), dim3(static_cast<unsigned>(blocks)),
                         dim3(static_cast<unsigned>(threads_per_block)), arguments, 0, stream));
}
template <class Body>
void launch(cudaStream_t stream, std::size_t blocks, const Body& body) {
  launch_as<detail::body_itself<Body>>(stream, blocks, body);
}

/// The number of blocks for n threads.
constexpr std::size_t blocks_for(std::size_t n) { return (n + threads_per_block - 1) / threads_per_block; }

}  // namespace thalweg::cuda
