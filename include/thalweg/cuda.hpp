// Optimizers on a GPU for programs compiled without nvcc: the library `thalweg_cuda` contains the compiled transforms
// and recipes. With nvcc you may write transforms of your own: <thalweg/cuda/optimizer.hpp>. More: docs/cuda.md.
#pragma once

#include <concepts>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/optimizer_class.hpp>

namespace thalweg::cuda {

namespace detail {
/// What the library can compile without the source of a transform: a text, the result of `parse`, a recipe.
template <class Given>
concept known_to_library = std::convertible_to<const Given&, std::string_view> ||
                           requires(const Given& g) { g.template as_program<float>(0); } ||
                           requires(const Given& g) { is_in_library(g); };

thalweg::detail::device_maker<float> library_on_gpu(void* stream);
}  // namespace detail

/// Like `thalweg::optimizer`, for parameters whose `data` is memory of the current GPU. The spans of `step` and
/// `averaged` are memory of this GPU too. All work runs on `stream`, a cudaStream_t; null is CUDA's default stream.
/// Throws `[cuda] …`, also if thalweg was built without CUDA.
///
/// `given`: a recipe of thalweg, a text (`"amuse(rho=0.5)"`) or the result of `parse`.
///
///     auto opt = cuda::optimizer(recipes::amuse(), parameters, {.lr = 0.02, .warmup_steps = 100}, stream);
///     for (auto& batch : data) { backward(batch, gradients, stream); opt.step(gradients); }
template <detail::known_to_library Given>
thalweg::optimizer<float> optimizer(const Given& given, std::vector<parameter<float>> parameters, const options& o,
                                    void* stream = nullptr) {
  return {thalweg::detail::program_of<float>(given), std::move(parameters), o, detail::library_on_gpu(stream)};
}

}  // namespace thalweg::cuda
