// Recipes on a GPU for those who compile without nvcc: the library `thalweg_cuda` holds them compiled. Who has nvcc
// writes chains, and transforms, of their own: <thalweg/cuda/optimizer.hpp>. More: docs/cuda.md.
#pragma once

#include <memory>
#include <variant>
#include <vector>

#include <thalweg/core/any_optimizer.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/tensor.hpp>
#include <thalweg/recipes/adamw.hpp>
#include <thalweg/recipes/amuse.hpp>
#include <thalweg/recipes/lion.hpp>
#include <thalweg/recipes/muon.hpp>
#include <thalweg/recipes/sf_adamw.hpp>
#include <thalweg/recipes/sgd.hpp>

namespace thalweg::cuda {

/// One of those that are compiled; which one may be chosen at run time.
using recipe = std::variant<recipes::adamw, recipes::amuse, recipes::lion, recipes::muon, recipes::sf_adamw, recipes::sgd>;

namespace detail {
std::unique_ptr<thalweg::detail::engine<float>> bind(const recipe& chosen, std::vector<parameter<float>> parameters,
                                                     const options& o, void* stream);
}  // namespace detail

/// A recipe, bound to parameters whose `data` is memory of the current GPU; the spans of `step` and `averaged` are such
/// as well. All is done in the order of `stream`, a cudaStream_t; null is CUDA's default stream. Otherwise as
/// `thalweg::optimizer`. Throws `[cuda] …`, also where thalweg was built without CUDA.
///
///     cuda::bound_recipe opt(recipes::amuse(), parameters, {.lr = 0.02, .warmup_steps = 100}, stream);
///     for (auto& batch : data) { backward(batch, gradients, stream); opt.step(gradients); }
class bound_recipe : public any_optimizer<float> {
public:
  bound_recipe(const recipe& chosen, const std::vector<parameter<float>>& parameters, const options& o,
               void* stream = nullptr)
      : any_optimizer<float>(detail::bind(chosen, parameters, o, stream), parameters.size()) {}
};

}  // namespace thalweg::cuda
