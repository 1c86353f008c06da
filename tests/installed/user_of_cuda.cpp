// Asks for a recipe on a GPU with the host's memory: whatever there is, it is refused and says who refused it.
#include <cstdio>
#include <string_view>
#include <vector>

#include <thalweg/cuda.hpp>

int main() {
  std::vector<float> numbers(6);
  try {
    const std::vector parameters{thalweg::as_parameter("w", numbers, {2, 3}, thalweg::role::hidden)};
    thalweg::cuda::optimizer("muon", parameters, {});
  } catch (const thalweg::error& e) {
    std::puts(e.what());
    return std::string_view(e.what()).starts_with("[cuda] ") ? 0 : 1;
  }
  return 1;
}
