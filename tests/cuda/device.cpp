// What the engine and the linear algebra stand on: device memory, pinned memory, copies and launches.
#include <numeric>
#include <span>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/cuda/device.hpp>
#include <thalweg/cuda/launch.hpp>

#include "own_stream.hpp"

using namespace thalweg;
using cuda::device_array;

namespace {

struct add_index {
  double* x;
  std::size_t n;
  constexpr void operator()(std::size_t block, std::size_t thread) const {
    if (const auto i = block * cuda::threads_per_block + thread; i < n) x[i] += static_cast<double>(i);
  }
};

}  // namespace

TEST_CASE("cuda: a kernel runs once for each of n things, between the copies before and behind it") {
  const test::own_stream own;
  for (const std::size_t n : {0, 1, 255, 256, 257, 1000}) {
    std::vector<double> ones(n, 1), received(n, -1);
    device_array<double> x(n);
    cuda::copy(ones.data(), n, x.data(), own.stream);
    cuda::launch(own.stream, cuda::blocks_for(n), add_index{x.data(), n});
    cuda::copy(x.data(), n, received.data(), own.stream);
    cuda::synchronize(own.stream);
    std::vector<double> expected(n);
    std::iota(expected.begin(), expected.end(), 1.0);
    CHECK(received == expected);
  }
}

TEST_CASE("cuda: memory moves, is told apart, and can be set to zero") {
  device_array<float> a(10), b = std::move(a);
  CHECK(a.data() == nullptr);
  CHECK(b.size() == 10);
  void* pinned = nullptr;
  cuda::check("pinned memory", cudaMallocHost(&pinned, 10 * sizeof(float)));
  const std::span<float> p(static_cast<float*>(pinned), 10);
  const std::vector<float> v(10);
  for (const float* own : {b.data(), b.data() + 9}) CHECK(cuda::place_of(own) == cuda::place::device);
  for (const float* hosts : {static_cast<const float*>(p.data()), v.data(), static_cast<const float*>(nullptr)})
    CHECK(cuda::place_of(hosts) == cuda::place::host);
  for (float& x : p) x = 1;
  cuda::zero(b.data(), 10, nullptr);
  cuda::copy(b.data(), 10, p.data(), nullptr);
  cuda::synchronize(nullptr);
  CHECK(std::vector(p.begin(), p.end()) == v);
  CHECK(cudaFreeHost(pinned) == cudaSuccess);
}

TEST_CASE("cuda: what fails says what was asked for") {
  CHECK_NOTHROW(cuda::check("x", cudaSuccess));
  CHECK_THROWS_WITH_AS(cuda::check("a stream", cudaErrorMemoryAllocation),
                       "[cuda] Expected a stream. Received cudaErrorMemoryAllocation (out of memory).", error);
}
