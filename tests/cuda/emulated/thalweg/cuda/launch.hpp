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

namespace detail {
template <class Body, class Run>
void launch(cudaStream_t stream, std::size_t blocks, const Body& body, Run run) {
  static_assert(std::is_trivially_copy_constructible_v<Body> && std::is_trivially_destructible_v<Body>,
                "thalweg: a kernel's arguments are copied byte by byte");
  static_assert(sizeof(Body) <= 4096, "thalweg: a kernel's arguments fill 4 KiB at most");
  if (!blocks) return;
  auto& device = emulated::the_device();
  ++device.launches;
  check("a kernel that starts", std::exchange(device.next_launch, cudaSuccess));
  emulated::later(stream, [=] {
    for (std::size_t block = blocks; block--;) run(body, block);
  });
}
}  // namespace detail

template <class Tag>
void launch_as(cudaStream_t stream, std::size_t blocks, const typename Tag::body& body) {
  detail::launch(stream, blocks, body, [](const auto& b, std::size_t block) {
    for (std::size_t thread = threads_per_block; thread--;) b(block, thread);
  });
}
template <class Body>
struct body_itself { using body = Body; };
template <class Body>
void launch(cudaStream_t stream, std::size_t blocks, const Body& body) {
  launch_as<body_itself<Body>>(stream, blocks, body);
}

template <class Tag>
void launch_sums_as(cudaStream_t stream, std::size_t blocks, const typename Tag::body& body) {
  detail::launch(stream, blocks, body, [](const auto& b, std::size_t block) {
    std::array<decltype(b(block, block)), threads_per_block> sums;
    for (std::size_t thread = threads_per_block; thread--;) sums[thread] = b(block, thread);
    for (std::size_t half = threads_per_block / 2; half; half /= 2)
      for (std::size_t thread = 0; thread < half; ++thread)
        for (std::size_t k = 0; k < sums[0].size(); ++k) sums[thread][k] += sums[thread + half][k];
    b.finish(block, sums[0]);
  });
}
template <class Body>
void launch_sums(cudaStream_t stream, std::size_t blocks, const Body& body) {
  launch_sums_as<body_itself<Body>>(stream, blocks, body);
}

constexpr std::size_t blocks_for(std::size_t n) { return (n + threads_per_block - 1) / threads_per_block; }

}  // namespace thalweg::cuda
