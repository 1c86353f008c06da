// Words of one's own for run-time chains: `runtime::add<sign_momentum>()`.
#pragma once

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include <thalweg/runtime/wrapped.hpp>

namespace thalweg::runtime {

namespace detail {
using maker = shared_leaf (*)(const word&);

/// Throws where another transform has the name.
void add_transform(std::string_view name, maker make);

/// In the registers for which the including file is compiled, whatever instruction set the library's run in.
struct passes_of_here {
  static thalweg::detail::fused_passes in(std::size_t) { return {}; }
};

template <class Transform, class Passes>
shared_leaf make(const word& w) {
  return std::make_shared<wrapped<Transform, Passes>>(read_fields<Transform>(w));
}
}  // namespace detail

/// From now on `parse` knows a transform of the user's by its name, with its `fields`.
///
///     runtime::add<sign_momentum>();
///     const auto chain = runtime::parse("sign_momentum(beta=0.9) | update_by_schedule_free");
template <class Transform>
void add() {
  static_assert(checked_transform<Transform>::value);
  detail::add_transform(type_name<Transform>(), &detail::make<Transform, detail::passes_of_here>);
}

/// And a predicate of the user's: `route(when(is_bias, scale_lr(by=2)), otherwise())`.
void add_predicate(std::string name, std::function<bool(const parameter_info&)> predicate);

}  // namespace thalweg::runtime
