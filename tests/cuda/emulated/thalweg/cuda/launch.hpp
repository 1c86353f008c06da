// A tests' double of src/cuda's launch.hpp: the blocks and threads of a kernel as loops, the last one first, so that
// what depends on an order is seen.
#pragma once

#include <cstddef>
#include <type_traits>

#include <cuda_runtime.h>
#include <thalweg/cuda/device.hpp>

namespace thalweg::cuda {

inline constexpr std::size_t threads_per_block = 256;

template <class Body>
void launch(cudaStream_t stream, std::size_t blocks, const Body& body) {
  static_assert(std::is_trivially_copyable_v<Body>, "a kernel's arguments are copied byte by byte");
  static_assert(sizeof(Body) <= 4096, "a kernel's arguments fill 4 KiB at most");
  if (!blocks) return;
  auto& device = emulated::the_device();
  ++device.launches;
  check("a kernel that starts", std::exchange(device.next_launch, cudaSuccess));
  emulated::later(stream, [=] {
    for (std::size_t block = blocks; block--;)
      for (std::size_t thread = threads_per_block; thread--;) body(block, thread);
  });
}

constexpr std::size_t blocks_for(std::size_t n) { return (n + threads_per_block - 1) / threads_per_block; }

}  // namespace thalweg::cuda
