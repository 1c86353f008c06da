// Where there is no CUDA to compile for.
#include <thalweg/cuda.hpp>

namespace thalweg::cuda {

std::unique_ptr<thalweg::detail::engine<float>> detail::bind(const recipe&, std::vector<parameter<float>>,
                                                             const options&, void*) {
  throw error("cuda", "thalweg was built without CUDA. Expected a library built with -Dcuda=enabled. Received this "
              "one: build it anew where nvcc is, or bind the recipe with compiled::optimizer.");
}

}  // namespace thalweg::cuda
