// The argument and the results of a kernel.
#pragma once

#include <array>
#include <tuple>

namespace thalweg {

/// One element of a parameter, with its update and gradient. A fused pass loads only what its kernels
/// read.
template <class T>
struct element {
  T update;     ///< the update so far: the gradient, at the head of a chain
  T gradient;   ///< the user's gradient; after `accumulate` the mean of the gradients
  T parameter;  ///< the user's parameter (y, if there is an average)
};

template <class Value, class... States>
struct next_t {
  Value value;
  std::tuple<States...> states;
};

template <class Value, class... States>
struct write_t {
  Value parameter;
  std::tuple<States...> states;
};

/// A kernel's result: the new update and the new states, in the order of their declaration. `at` also uses it, to
/// return a kernel or a context together with new scalars.
template <class Value, class... States>
constexpr next_t<Value, States...> next(Value value, States... states) {
  return {value, {states...}};
}

/// The result of a kernel that ends a chain: the new parameter and the new states.
template <class Value, class... States>
constexpr write_t<Value, States...> write(Value parameter, States... states) {
  return {parameter, {states...}};
}

/// The result of a reduction's kernel with several sums; `at` then takes as many.
template <class Value, class... Values>
constexpr std::array<Value, 1 + sizeof...(Values)> sums(Value value, Values... values) {
  return {value, Value(values)...};
}

}  // namespace thalweg
