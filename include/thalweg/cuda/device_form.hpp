// How a tensor-wise transform is computed on the device: by something of its own, found by its type.
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

/// What computes a tensor-wise transform for all the parameters of a stage at once. It is made when they are bound, and
/// allocates then; a step calls it, and that allocates nothing and waits for nothing.
///
///     device_form<orthogonalize_update, float> form(transform, updates, stream);  // a span of device_update<float>
///     form(transform, context);  // at each step, in the stream's order
///
/// The transform of a step is that of the binding, except that a schedule may have moved its numbers. A transform
/// without a specialisation has no form on the device.
template <class Transform, class T>
struct device_form;

template <class Transform, class T>
concept has_device_form = requires { sizeof(device_form<Transform, T>); };

}  // namespace thalweg::cuda
