// What passes.py looks at: optimizers of every kind of stage.
#include <thalweg/cuda/optimizer.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>
#include <thalweg/recipes/adamw.hpp>
#include <thalweg/recipes/amuse.hpp>
#include <thalweg/recipes/lion.hpp>
#include <thalweg/transforms/clip_by_global_norm.hpp>

using namespace thalweg;

template <class Chain>
void steps(const Chain& chain, const std::vector<parameter<float>>& parameters,
           const std::vector<std::span<const float>>& gradients) {
  cuda::optimizer(chain, parameters, {}).step(gradients);
}

void all_step(const std::vector<parameter<float>>& parameters, const std::vector<std::span<const float>>& gradients) {
  steps(recipes::adamw(), parameters, gradients);
  steps(recipes::amuse(), parameters, gradients);
  steps(clip_by_global_norm{} | recipes::lion(), parameters, gradients);
}
