// A stream beside CUDA's default one, and captures of what is given to it.
#pragma once

#include <cuda_runtime.h>
#include <thalweg/cuda/device.hpp>

namespace test {

struct own_stream {
  cudaStream_t stream{};
  own_stream() { thalweg::cuda::check("a stream", cudaStreamCreate(&stream)); }
  own_stream(const own_stream&) = delete;
  own_stream& operator=(const own_stream&) = delete;
  ~own_stream() { static_cast<void>(cudaStreamDestroy(stream)); }

  void begin_capture() const {
    thalweg::cuda::check("a capture", cudaStreamBeginCapture(stream, cudaStreamCaptureModeGlobal));
  }
  [[nodiscard]] cudaGraph_t end_capture() const {
    cudaGraph_t graph{};
    thalweg::cuda::check("a graph", cudaStreamEndCapture(stream, &graph));
    return graph;
  }
};

}  // namespace test
