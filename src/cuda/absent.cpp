// Where there is no CUDA to compile for.
#include <thalweg/cuda.hpp>

namespace thalweg::cuda {

thalweg::detail::device_maker<float> detail::library_on_gpu(void*) {
  throw error("cuda", "thalweg was built without CUDA. Expected a library built with -Dcuda=enabled. Received this "
              "one: build it anew where nvcc is, or bind with thalweg::optimizer.");
}

}  // namespace thalweg::cuda
