// What goes into a kernel and what comes out of it.
#pragma once

#include <array>
#include <tuple>

namespace thalweg {

/// One number of a parameter, with what is known of it. A kernel reads what it needs; what no kernel of a fused
/// pass reads is not loaded.
template <class T>
struct element {
  T update;     ///< the update so far: the gradient, at the head of a chain
  T gradient;   ///< the gradient as the user gave it; behind `accumulate` their mean
  T parameter;  ///< the parameter as the user holds it (y, where there is an average)
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

/// A kernel's result: the new update and the new states, in the order of their declaration.
/// `at` uses it as well, to return a kernel or a context with new scalars.
template <class Value, class... States>
constexpr next_t<Value, States...> next(Value value, States... states) {
  return {value, {states...}};
}

/// The result of a kernel that ends a chain: the new parameter and the new states.
template <class Value, class... States>
constexpr write_t<Value, States...> write(Value parameter, States... states) {
  return {parameter, {states...}};
}

/// The result of a reduction's kernel that wants more than one sum; `at` then takes as many.
template <class Value, class... Values>
constexpr std::array<Value, 1 + sizeof...(Values)> sums(Value value, Values... values) {
  return {value, Value(values)...};
}

}  // namespace thalweg
