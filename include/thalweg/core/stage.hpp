// A stage of a path: its pass over memory, and the barrier of a parameter's own behind it.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/pass.hpp>
#include <thalweg/core/plan.hpp>
#include <thalweg/core/prepare.hpp>

namespace thalweg::detail {

/// What the transform at a position sums up over the elements [begin, end) of a parameter.
template <class Plan, std::size_t Position, class Passes, class T, class Prepared, class Parameter>
auto reduce_at(const Passes& passes, const Prepared& prepared, const Parameter& p, const T* gradient, const T* update,
               std::size_t begin, std::size_t end) {
  const T* const seen = Plan::gradient_at(Position, p, gradient);
  const T* const reduced = Plan::changed_before(Position) ? update : seen;
  return passes.reduce(end - begin, reduced + begin, seen + begin, p.data + begin, std::get<Position>(prepared).reduce);
}

/// A stage's pass over memory.
template <class Plan, bool Fused, std::size_t Stage>
struct stage_pass {
  static constexpr stage place = Plan::template stages<Fused>.list[Stage];
  static constexpr bool ends = place.end == Plan::positions;
  static constexpr kind barrier = Plan::kinds[ends ? place.end - 1 : place.end];
  static constexpr traffic moves{
      .from_gradient = !Plan::changed_before(place.begin), .writes_update = !ends, .writes_parameter = ends};
  static constexpr bool exists = Plan::has_kernels(place) || (moves.from_gradient && barrier == kind::tensorwise);

  /// Its kernels, in the order of the path. `reduced(position)` makes that of a transform that reduces.
  template <class Prepared, class Reduced>
  static auto kernels_with(const Prepared& prepared, Reduced reduced) {
    const auto kernel_at = [&]<std::size_t Position>() {
      if constexpr (Plan::kinds[Position] == kind::elementwise) return std::tuple{std::get<Position>(prepared)};
      else if constexpr (reduces(Plan::kinds[Position]))
        return std::tuple{reduced(std::integral_constant<std::size_t, Position>())};
      else return std::tuple{};
    };
    return [&]<std::size_t... I>(std::index_sequence<I...>) {
      return std::tuple_cat(kernel_at.template operator()<place.begin + I>()...);
    }(std::make_index_sequence<place.end - place.begin>());
  }
  template <class Leaves, class Prepared, class Measured>
  static auto kernels(const Leaves& leaves, const Prepared& prepared, const Measured& measured) {
    return kernels_with(prepared, [&](auto position) {
      constexpr std::size_t sums = sums_of<typename Plan::template transform_at<position>>;
      const auto kernel = at_sums(std::make_index_sequence<sums>(), std::get<Plan::leaf[position]>(leaves),
                                  std::get<position>(prepared).seen, std::get<Plan::leaf[position]>(measured));
      return bound_kernel<Plan::arrays[position], std::remove_const_t<decltype(kernel)>>{kernel};
    });
  }
};

/// What is known of a parameter says where in it a block begins: inside a combinator.
template <class Info>
concept of_a_block = requires(const Info& info) { info.begin; };

/// The elements [begin, end) of a parameter on their way through a stage, and over the parameter's own barrier that
/// ends it. `measured`: the sums at each leaf.
template <class Plan, std::size_t Stage, class Passes, class T, class Leaves, class Prepared, class Measured,
          class Parameter>
void run_stage(const Passes& passes, const Leaves& leaves, const Prepared& prepared, Measured& measured,
               const Parameter& p, const T* gradient, T* update, std::span<T> scratch, std::size_t begin,
               std::size_t end) {
  using pass = stage_pass<Plan, Passes::fused, Stage>;
  constexpr stage s = pass::place;
  if constexpr (pass::exists) {
    const arrays<T> a{Plan::gradient_at(s.begin, p, gradient), update, p.data,
                      p.states.data() + Plan::sum(Plan::arrays, s.begin), begin};
    std::apply([&](const auto&... k) { passes.template run<pass::moves>(end - begin, a, k...); },
               pass::kernels(leaves, prepared, measured));
  }
  if constexpr (!pass::ends && pass::barrier == kind::tensorwise) {
    using transform = typename Plan::template transform_at<s.end>;
    static_assert(tensorwise_of<transform, T>,
                  "thalweg: a tensor-wise transform of this chain does not take tensors of the parameters' type");
    const auto view = [&](auto* data) {
      tensor<std::remove_pointer_t<decltype(data)>> t{data, p.info.shape, p.info.order, p.info.name};
      if constexpr (of_a_block<decltype(p.info)>) t.begin = p.info.begin;
      return t;
    };
    const whole<T> given{view(update), view(Plan::gradient_at(s.end, p, gradient)), view(static_cast<const T*>(p.data))};
    call_apply(array_indices<transform>(), std::get<Plan::leaf[s.end]>(leaves), std::get<s.end>(prepared).seen, given,
               scratch, [&](std::size_t j) {
                 const std::size_t state = Plan::sum(Plan::arrays, s.end) + j;
                 return tensor<T>{p.states[state], p.state_shapes[state], p.info.order, p.info.name};
               });
  } else if constexpr (!pass::ends && pass::barrier == kind::parameterwise) {
    std::get<Plan::leaf[s.end]>(measured) =
        reduce_at<Plan, s.end>(passes, prepared, p, gradient, update, begin, end);
  }
}

template <class Leaf, class T>
constexpr bool may_throw() {
  if constexpr (contextual<Leaf> || elementwise<Leaf> || !tensorwise_of<Leaf, T>) return false;
  else return !noexcept(call_apply(array_indices<Leaf>(), std::declval<const Leaf&>(), std::declval<const context&>(),
                                   std::declval<whole<T>>(), std::span<T>(), some_state<T>()));
}

template <class T, class... Leaves>
constexpr bool one_may_throw(std::tuple<Leaves...>*) { return (may_throw<Leaves, T>() || ...); }

}  // namespace thalweg::detail
