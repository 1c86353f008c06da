// A tests' double of <thalweg/cuda/launch.hpp>: the blocks and threads of a kernel as loops, the last one first, so that
// what depends on an order is seen.
#pragma once

#include <array>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <cuda_runtime.h>
#include <thalweg/cuda/device.hpp>

namespace thalweg::cuda {

inline constexpr std::size_t threads_per_block = 256;

template <class Tag>
void launch_as(cudaStream_t stream, std::size_t blocks, const typename Tag::body& body) {
  using type = typename Tag::body;
  static_assert(std::is_trivially_copy_constructible_v<type> && std::is_trivially_destructible_v<type>,
                "thalweg: a kernel's arguments are copied byte by byte");
  static_assert(sizeof(type) <= 4096, "thalweg: a kernel's arguments fill 4 KiB at most");
  if (!blocks) return;
  auto& device = emulated::the_device();
  ++device.launches;
  check("a kernel that starts", std::exchange(device.next_launch, cudaSuccess));
  emulated::later(stream, [=] {
    for (std::size_t block = blocks; block--;) {
      if constexpr (std::is_void_v<decltype(body(block, block))>) {
        for (std::size_t thread = threads_per_block; thread--;) body(block, thread);
      } else {
        std::array<decltype(body(block, block)), threads_per_block> sums;
        for (std::size_t thread = threads_per_block; thread--;) sums[thread] = body(block, thread);
        for (std::size_t half = threads_per_block / 2; half; half /= 2)
          for (std::size_t thread = 0; thread < half; ++thread)
            for (std::size_t k = 0; k < sums[0].size(); ++k) sums[thread][k] += sums[thread + half][k];
        body.finish(block, sums[0]);
      }
    }
  });
}
template <class Body>
struct body_itself { using body = Body; };
template <class Body>
void launch(cudaStream_t stream, std::size_t blocks, const Body& body) {
  launch_as<body_itself<Body>>(stream, blocks, body);
}

constexpr std::size_t blocks_for(std::size_t n) { return (n + threads_per_block - 1) / threads_per_block; }

}  // namespace thalweg::cuda
