// The compiler's errors for a type that is not a transform.
#pragma once

#include <span>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// Every chain checks its types with this. The compiler's message names the wrong type and what is missing.
template <class T>
struct checked_transform {
  static constexpr bool value = transform<T>;
  static constexpr bool names_at = value || requires { &T::at; };
  static constexpr bool names_apply = value || requires(const T& t, const context& c, tensor<float> u) { t.apply(c, u); } ||
                                      requires(const T& t, const context& c, whole<float> w) { t.apply(c, w); } ||
                                      requires { &T::apply; } || requires { &T::template apply<float>; };

  static_assert(names_at || names_apply,
                "thalweg: this type is not a transform: it lacks `at(const context&)` (contextual, element-wise), "
                "`apply(const context&, tensor<T>, ...)` (tensor-wise) or `reduce(const context&)` (model-wise)");
  static_assert(value || !names_at || names_apply,
                "thalweg: this type is not a transform: its `at(const context&, scalars...)` must return a context, or a "
                "kernel that takes element<T> and one T for each array in `states` and returns next(...) or write(...) "
                "with as many; a model-wise `at(const context&, double sums..., scalars...)` must also be noexcept, and the kernel "
                "of its `reduce(const context&, scalars...)` take element<T>, or it and the states, for every T");
  static_assert(value || !names_apply,
                "thalweg: this type is not a transform: its `apply` must take (const context&, tensor<T> update), then "
                "std::span<T> if it has `scratch(const parameter_info&)`, then a tensor<T> for each array in `states`; "
                "whole<T> in the update's place shows the gradient and the parameter as well");
  static_assert(!contextual<T> || states_of<T>::arrays == 0,
                "thalweg: a contextual transform sees no arrays; its states must be scalar<...>");
  static_assert(elementwise<T> || contextual<T> || modelwise<T> || states_of<T>::scalars == 0,
                "thalweg: tensor-wise and parameter-wise transforms get no scalars; their states must be arrays");
  static_assert(tensorwise_transform<T> || states_of<T>::of_its_shape,
                "thalweg: a kernel sees one number of each state: rows<...> and columns<...> are for tensor-wise ones");
};

}  // namespace thalweg
