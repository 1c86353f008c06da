// Where there is no GPU, programs for one say so and are skipped.
#pragma once

#include <cstdio>

#include <cuda_runtime.h>

namespace test {

inline bool is_missing() {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) == cudaSuccess && devices > 0) return false;
  std::puts("no GPU");
  return true;
}

}  // namespace test
