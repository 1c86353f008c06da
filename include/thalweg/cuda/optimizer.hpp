// The optimizer of parameters that live in a GPU's memory: thalweg::optimizer, whose steps a GPU does. For units that
// nvcc compiles:
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

/// As `thalweg::optimizer`, for parameters whose `data` is memory of the current device. The spans of `step` and
/// `averaged` are such memory too. That device is to be current whenever something is asked of the optimizer.
///
/// All is done in the order of `stream`, which the user keeps while the optimizer and its evaluation points live. A
/// step copies nothing to the host, waits for nothing and allocates nothing, and so may be captured in a graph. Only a
/// chain that begins with `when_finite` waits, since the host must know, and one whose model-wise transform has scalars
/// (`scale_by_prodigy`). Binding, `save`, `load` and the end of an
/// evaluation point wait as well. `options.parallel` means nothing here.
///
/// A chain with a tensor-wise transform that has no device form (<thalweg/cuda/device_form.hpp>) does not compile.
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
