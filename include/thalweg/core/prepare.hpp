// Once a step: what `at` makes of the context along a path.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <tuple>
#include <utility>

#include <thalweg/core/pass.hpp>
#include <thalweg/core/plan.hpp>

namespace thalweg::detail {

struct nothing {};

/// A barrier's position, prepared: the context there, and how a transform that reduces does.
template <class Reduce = nothing>
struct barrier_at {
  context seen;
  Reduce reduce;
};

// What `at` returned, without the new scalars, which replace the old ones.
template <std::size_t N, class Value>
constexpr Value take(Value value, double*) {
  static_assert(N == 0, "thalweg: at(context, scalars...) must return next(..., scalars...), a double for each scalar");
  return value;
}
template <std::size_t N, class Value, class... Scalars>
constexpr Value take(next_t<Value, Scalars...> result, double* scalars) {
  static_assert(N == sizeof...(Scalars),
                "thalweg: at(context, scalars...) must return next(..., scalars...), a double for each scalar");
  std::apply([&](auto... s) { ((*scalars++ = s), ...); }, result.states);
  return result.value;
}

template <std::size_t N, class Transform>
constexpr auto call_at(const Transform& t, const context& c, double* scalars) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return take<N>(t.at(c, scalars[I]...), scalars);
  }(std::make_index_sequence<N>());
}

/// Once a step: what `at` makes of the context at one position. A kernel, or what a barrier needs later.
template <class Plan, std::size_t Position, class Leaves>
auto prepare_position(const Leaves& leaves, context& c, double* scalars) {
  using transform = typename Plan::template transform_at<Position>;
  const auto& t = std::get<Plan::leaf[Position]>(leaves);
  [[maybe_unused]] double* own = scalars + Plan::sum(Plan::scalars, Position);
  if constexpr (contextual<transform>) {
    c = call_at<Plan::scalars[Position]>(t, c, own);
    return nothing{};
  } else if constexpr (elementwise<transform>) {
    auto kernel = call_at<Plan::scalars[Position]>(t, c, own);
    if constexpr (requires { { t.pass_on(c) } -> std::same_as<context>; }) c = t.pass_on(c);
    return bound_kernel<Plan::arrays[Position], decltype(kernel), gate<transform>>{kernel};
  } else if constexpr (reducing<transform>) {
    using reduction = bound_reduction<sums_of<transform>, decltype(t.reduce(c))>;
    return barrier_at<reduction>{c, {t.reduce(c)}};
  } else {
    if constexpr (requires { t.check(c); }) t.check(c);
    return barrier_at<>{c, {}};
  }
}

/// The lr in which a path ends: only the contextual transforms run, on a copy of the scalars.
template <class Plan, class Leaves, std::size_t N>
double last_lr(const Leaves& leaves, context c, std::array<double, N> scalars) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    const auto pass = [&]<std::size_t Position>() {
      using transform = typename Plan::template transform_at<Position>;
      if constexpr (contextual<transform>)
        c = call_at<Plan::scalars[Position]>(std::get<Plan::leaf[Position]>(leaves), c,
                                             scalars.data() + Plan::sum(Plan::scalars, Position));
    };
    (pass.template operator()<I>(), ...);
  }(std::make_index_sequence<Plan::positions>());
  return c.lr;
}

template <class Plan, class Leaves>
auto prepare(const Leaves& leaves, context c, double* scalars) {
  return [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::tuple{prepare_position<Plan, I>(leaves, c, scalars)...};  // braces: in the order of the path
  }(std::make_index_sequence<Plan::positions>());
}

template <class Average>
struct average_kernel {  // x as an update, so that an ordinary pass computes it
  Average average;
  template <class T, class... States>
  constexpr auto operator()(element<T> e, States... states) const {
    return next(T(average(e, states...)), states...);
  }
};

inline constexpr traffic average_traffic{
    .from_gradient = true, .writes_update = true, .writes_parameter = false, .writes_states = false};

/// Throws where there is none.
template <class Plan, class Leaves, std::size_t N>
auto average_of(const Leaves& leaves, const std::array<double, N>& scalars) {
  constexpr std::size_t last = Plan::positions - 1;
  const auto average = [&]<std::size_t... I>(std::index_sequence<I...>) {
    return std::get<Plan::leaf[last]>(leaves).average(scalars[Plan::sum(Plan::scalars, last) + I]...);
  }(std::make_index_sequence<Plan::scalars[last]>());
  using kernel = average_kernel<std::remove_const_t<decltype(average)>>;
  return bound_kernel<Plan::arrays[last], kernel>{kernel{average}};
}

}  // namespace thalweg::detail
