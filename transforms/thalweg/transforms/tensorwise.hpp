// tensorwise: applies a function of yours to one parameter's whole update.
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
  void apply(const context&, tensor<T> update) const
      noexcept(std::is_nothrow_invocable_v<const Function&, tensor<T>> && returns_nothing<T>) {
    if constexpr (returns_nothing<T>) {
      function(update);
    } else {
      const tensor<T> result = function(update);
      if (result.data == update.data) return;
      if (result.size() != update.size() || result.order != update.order)
        throw error(name, "Expected a view of ", update.size(), " elements, in the order of the update of '", update.name,
                    "'. Received one of ", result.size(), ".");
      std::copy_n(result.data, update.size(), update.data);
    }
  }

private:
  template <class T>
  static constexpr bool returns_nothing = std::is_void_v<std::invoke_result_t<const Function&, tensor<T>>>;
};

/// A fusion barrier. `function` receives the update of one parameter as a view and changes it in place. It returns
/// nothing, or the view, or another view of the same size and order to copy from. If it may throw (is not noexcept) or
/// returns a view (which may be wrong), every step copies parameters and state to restore them. Several threads call it
/// at once, each for a different parameter. Its captures must be safe for this.
///
///     auto flip = tensorwise("flip", [](tensor<float> u) noexcept { for (float& x : u.values()) x = -x; });
template <class Function>
constexpr auto tensorwise(std::string_view name, Function function) {
  return tensorwise_function<Function>{name, std::move(function)};
}

}  // namespace thalweg
