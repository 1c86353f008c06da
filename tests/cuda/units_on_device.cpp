// Runs the cases that nvcc has compiled on a GPU; exits with 77 where there is none.
#include <cstdio>

#define DOCTEST_CONFIG_IMPLEMENT
#include <cuda_runtime.h>
#include <doctest/doctest.h>

int main(int count, char** arguments) {
  int devices = 0;
  if (cudaGetDeviceCount(&devices) != cudaSuccess || devices == 0) {
    std::puts("no GPU");
    return 77;
  }
  return doctest::Context(count, arguments).run();
}
