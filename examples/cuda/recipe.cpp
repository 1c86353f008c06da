// A recipe on a GPU, from a unit that nvcc does not see. `backward` and the memory are the trainer's.
#include <span>
#include <vector>

// snippet: cuda_recipe
#include <thalweg/cuda.hpp>
#include <thalweg/recipes/amuse.hpp>

void train(const std::vector<thalweg::parameter<float>>& parameters,       // their data are in device memory
           const std::vector<std::span<const float>>& gradients, void* stream,  // a cudaStream_t, or null
           void (*backward)(void* stream), int steps) {
  auto opt = thalweg::cuda::optimizer(thalweg::recipes::amuse(), parameters, {.lr = 0.02, .warmup_steps = 100}, stream);
  for (int t = 0; t < steps; ++t) {
    backward(stream);
    opt.step(gradients);
  }
}
// end

#include <cstdio>

int main() {
  std::vector<float> w(6);  // of the host's: refused, whether there is a GPU or not
  try {
    train({{.name = "w", .shape = {2, 3}, .role = thalweg::role::hidden, .data = w.data()}},
          {w}, nullptr, [](void*) {}, 1);
  } catch (const thalweg::error& e) {
    std::puts(e.what());
    return 0;
  }
  return 1;
}
