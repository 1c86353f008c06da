// The device form of a tensor-wise transform, found by the type of the transform.
#pragma once

#include <cstddef>
#include <utility>

#include <thalweg/core/context.hpp>
#include <thalweg/core/tensor.hpp>

namespace thalweg::cuda {

/// One parameter's update in device memory; filters of more than two dimensions are (first, rest) matrices.
template <class T>
struct device_update {
  T* data = nullptr;
  std::size_t rows = 1, cols = 1;
  storage_order order = storage_order::row_major;
};

/// Computes a tensor-wise transform for all parameters of a stage at once. Binding makes it, and it allocates its
/// memory then. A step calls it. This call allocates nothing and does not wait.
///
///     device_form<orthogonalize_update, float> form(transform, updates, stream);  // a span of device_update<float>
///     form(transform, context);  // at each step, in the stream's order
///
/// The transform of a step is that of binding, except for numbers that a schedule has changed. A transform without a
/// specialisation has no device form.
template <class Transform, class T>
struct device_form;

template <class Transform, class T>
concept has_device_form = requires { sizeof(device_form<Transform, T>); };

}  // namespace thalweg::cuda
