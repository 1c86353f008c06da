// tap: calls a function with the update in the middle of a chain.
#pragma once

#include <utility>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

template <class Function>
struct tapped {
  Function function;
  static constexpr std::string_view name = "tap";

  template <class T>
    requires std::is_invocable_v<const Function&, const context&, tensor<const T>>
  void apply(const context& c, tensor<T> u) const
      noexcept(std::is_nothrow_invocable_v<const Function&, const context&, tensor<const T>>) {
    function(c, tensor<const T>{u.data, u.shape, u.order, u.name});
  }
};

/// `function(context, tensor<const T>)` sees each parameter's update and cannot change it. It is a fusion barrier.
/// Several threads call it at once, each for a different parameter. It should be noexcept.
///
///     auto c = nesterov_ema{} | tap([](const context& c, tensor<const float> u) noexcept { log(c.step, u); });
template <class Function>
constexpr auto tap(Function function) {
  return tapped<Function>{std::move(function)};
}

}  // namespace thalweg
