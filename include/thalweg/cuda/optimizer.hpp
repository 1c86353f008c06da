// The optimizer for parameters in a GPU's memory: a thalweg::optimizer whose steps run on the GPU. For files that nvcc
// compiles:
//
//     nvcc -std=c++20 --expt-relaxed-constexpr --extended-lambda …
//
//     auto opt = cuda::optimizer(recipes::amuse(), parameters, {.lr = 0.02, .warmup_steps = 100}, stream);
//     for (auto& batch : data) { backward(batch, gradients, stream); opt.step(gradients); }
#pragma once

#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/core/optimizer.hpp>
#include <thalweg/cuda/gpu.hpp>
#include <thalweg/cuda/lower.hpp>

namespace thalweg::cuda {

/// Like `thalweg::optimizer`, for parameters whose `data` is memory of the current device. The spans of `step` and
/// `averaged` are memory of this device too. Whenever you call the optimizer, this device must be current.
///
/// All work runs on `stream`. Keep the stream while the optimizer and its evaluation points exist. A step
/// copies nothing to the host, does not wait and allocates nothing, so you may capture it in a graph.
/// Exceptions: a chain waits if it begins with `when_finite`, or if a model-wise transform has scalars
/// (`scale_by_prodigy`). Binding, `save`, `load` and the end of an evaluation point also wait, and its beginning if
/// averaged parameters have 16 bits.
/// `options.parallel` has no effect.
///
/// A chain does not compile if a tensor-wise transform has no device form (<thalweg/cuda/device_form.hpp>).
///
/// `given`: a chain, a recipe, or one transform.
template <class Given, class T>
thalweg::optimizer<T> optimizer(const Given& given, std::vector<parameter<T>> parameters, const options& o,
                                cudaStream_t stream = nullptr) {
  using bindable = thalweg::detail::bindable<Given>;
  static_assert(bindable::passes::fused, "thalweg: [cuda] on a device every chain is fused");
  const auto links = bindable::links(given);
  static const auto launched = detail::launches_of_chain<T, std::remove_const_t<decltype(links)>>();
  return {thalweg::detail::lower<T, detail::launched_passes>(links), std::move(parameters), o,
          detail::on_gpu(launched, stream)};
}

}  // namespace thalweg::cuda
