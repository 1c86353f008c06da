// tensorwise: a function of the user's on one parameter's whole update.
#pragma once

#include <algorithm>
#include <string_view>
#include <utility>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

template <class Function>
struct tensorwise_function {
  std::string_view name;
  Function function;

  template <class T>
    requires std::is_invocable_v<const Function&, tensor<T>>
  void apply(const context&, tensor<T> update) const noexcept(std::is_nothrow_invocable_v<const Function&, tensor<T>>) {
    if constexpr (std::is_void_v<std::invoke_result_t<const Function&, tensor<T>>>) {
      function(update);
    } else {
      const tensor<T> result = function(update);
      if (result.data != update.data) std::copy_n(result.data, update.size(), update.data);
    }
  }
};

/// A fusion barrier: `function` receives the update of one parameter as a view and changes it in place. It returns the
/// view, or another one of the same size to copy from, or nothing. Where it may throw (is not noexcept), every step
/// keeps a copy of parameters and state to put back. It is called for several parameters at once, on as many threads as
/// the optimizer has: what it captures must bear that.
///
///     auto flip = tensorwise("flip", [](tensor<float> u) noexcept { for (float& x : u.values()) x = -x; });
template <class Function>
constexpr auto tensorwise(std::string_view name, Function function) {
  return tensorwise_function<Function>{name, std::move(function)};
}

}  // namespace thalweg
