// What thalweg_cuda says where it was built without CUDA.
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/cuda.hpp>

using namespace thalweg;

TEST_CASE("cuda: a library built without CUDA says so") {
  std::vector<float> w(6);
  const std::vector parameters{as_parameter("w", w, {2, 3})};
  CHECK_THROWS_WITH_AS(cuda::optimizer("muon", parameters, {}),
                       doctest::Contains("[cuda] thalweg was built without CUDA. "), error);
}
