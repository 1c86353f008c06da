// A chain laid out for execution, all at compile time: complete paths, their stages, their slots of state.
#pragma once

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/path.hpp>

namespace thalweg::detail {

template <class Leaf>
constexpr std::size_t sum_count_of() {
  if constexpr (reducing<Leaf>) return sums_of<Leaf>;
  else return 0;
}
template <class... Leaves>
auto sums_for_leaves(std::tuple<Leaves...>*) -> std::tuple<std::array<double, sum_count_of<Leaves>()>...>;
/// What the leaves that reduce have measured.
template <class Leaves>
using sums_for = decltype(sums_for_leaves(static_cast<Leaves*>(nullptr)));

/// Where the first `true` is; there is one.
template <std::size_t N>
constexpr std::size_t first_of(const std::array<bool, N>& is) {
  std::size_t i = 0;
  while (!is[i]) ++i;
  return i;
}

/// f(number) for the numbers [First, Last). (Lambdas with template heads, in members defined out of a class whose
/// parameters have defaults, nvcc hands on wrongly.)
template <std::size_t First, std::size_t Last, class F>
constexpr void for_each_number(F f) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    (f(std::integral_constant<std::size_t, First + I>()), ...);
  }(std::make_index_sequence<Last - First>());
}

template <class Leaf>
concept feeding = requires { typename Leaf::feeds; };
template <class Leaf, class Fed>
constexpr bool reads() {
  if constexpr (requires { typename Leaf::reads; }) return std::is_same_v<typename Leaf::reads, Fed>;
  else return false;
}

template <class Leaves, class Path>
struct path_plan;

/// One way through the chain, from the gradient to the parameters.
template <class... Leaves, std::size_t... Leaf>
struct path_plan<std::tuple<Leaves...>, path<Leaf...>> {
  static constexpr std::size_t positions = sizeof...(Leaf);
  static constexpr std::array<std::size_t, positions> leaf{Leaf...};
  template <std::size_t Position>
  using transform_at = std::tuple_element_t<leaf[Position], std::tuple<Leaves...>>;
  template <class Transform>
  using slots = thalweg::states_of<Transform>;

  static constexpr std::array<kind, positions> kinds{kind_of<std::tuple_element_t<Leaf, std::tuple<Leaves...>>>()...};
  static constexpr std::array<std::size_t, positions> arrays{
      slots<std::tuple_element_t<Leaf, std::tuple<Leaves...>>>::arrays...};
  static constexpr std::array<std::size_t, positions> scalars{
      slots<std::tuple_element_t<Leaf, std::tuple<Leaves...>>>::scalars...};
  static constexpr std::array<bool, positions> writes{
      terminal<std::tuple_element_t<Leaf, std::tuple<Leaves...>>>...};

  static constexpr std::size_t sum(const std::array<std::size_t, positions>& counts, std::size_t end) {
    std::size_t total = 0;
    for (std::size_t i = 0; i < end; ++i) total += counts[i];
    return total;
  }
  static constexpr std::size_t array_count = sum(arrays, positions);
  static constexpr std::size_t scalar_count = sum(scalars, positions);

  template <bool Fused>
  static constexpr auto stages = cut<Fused, std::tuple_element_t<Leaf, std::tuple<Leaves...>>...>();

  /// Whether the update at `position` is no longer the gradient itself.
  static constexpr bool changed_before(std::size_t position) {
    for (std::size_t i = 0; i < position; ++i)
      if (kinds[i] != kind::contextual) return true;
    return false;
  }
  static constexpr bool has_kernels(stage s) {
    for (std::size_t i = s.begin; i < s.end; ++i)
      if (kinds[i] != kind::contextual) return true;
    return false;
  }
  /// Whether an update is ever written to memory between two stages.
  template <bool Fused>
  static constexpr bool crosses_memory() {
    for (std::size_t i = 0; i + 1 < stages<Fused>.count; ++i) {
      const stage s = stages<Fused>.list[i];
      if (has_kernels(s) || kinds[s.end] == kind::tensorwise) return true;
    }
    return false;
  }
  static constexpr bool contains(std::size_t l) { return ((l == Leaf) || ...); }
  static constexpr std::size_t position_of(std::size_t l) {
    for (std::size_t i = 0; i < positions; ++i)
      if (leaf[i] == l) return i;
    return positions;
  }

  /// f(transform) for each position.
  template <class F>
  static void for_each_transform(const std::tuple<Leaves...>& leaves, F f) {
    (f(std::get<Leaf>(leaves)), ...);
  }
  /// f(transform, slot) for each slot of state, in the order of the path.
  template <class F>
  static void for_each_slot(const std::tuple<Leaves...>& leaves, F f) {
    for_each_transform(leaves, [&]<class Transform>(const Transform& t) {
      [&]<class... Slots>([[maybe_unused]] state<Slots...> declared) {
        (f(t, Slots()), ...);
      }(slots<Transform>());
    });
  }

  static constexpr std::size_t gate_position =
      first_of<positions + 1>({gate<std::tuple_element_t<Leaf, std::tuple<Leaves...>>>..., true});
  /// The gradient as it is known before `position`: behind a gate, what that has gathered.
  template <class T, class Parameter>
  static constexpr const T* gradient_at(std::size_t position, const Parameter& p, const T* given) {
    return gate_position < position ? p.states[sum(arrays, gate_position)] : given;
  }

  /// Whether nothing before the leaf changes the gradient, and it is on this path.
  static constexpr bool opens_with(std::size_t l) { return contains(l) && !changed_before(position_of(l)); }

  static constexpr bool only_the_last_writes() {
    for (std::size_t i = 0; i + 1 < positions; ++i)
      if (writes[i]) return false;
    return true;
  }

  /// Whether something behind `position` reads what the transform there feeds.
  template <class Fed>
  static constexpr bool read_behind(std::size_t position) {
    constexpr std::array<bool, positions> reads{
        detail::reads<std::tuple_element_t<Leaf, std::tuple<Leaves...>>, Fed>()...};
    for (std::size_t i = position + 1; i < positions; ++i)
      if (reads[i]) return true;
    return false;
  }
};

// A path that does not write the parameters ends in the chain's implicit last leaf, `apply_update`.
template <class Leaves, std::size_t End, std::size_t... Leaf>
constexpr auto completed(path<Leaf...>) {
  if constexpr ((terminal<std::tuple_element_t<Leaf, Leaves>> || ...)) return path<Leaf...>();
  else return path<Leaf..., End>();
}

template <class Chain, bool Fused>
struct plan {
  using written_leaves = decltype(leaves(std::declval<const Chain&>()));
  using leaves_type = decltype(std::tuple_cat(std::declval<written_leaves>(), std::tuple<apply_update>()));
  static constexpr std::size_t leaf_count = std::tuple_size_v<written_leaves>;
  template <std::size_t Leaf>
  using leaf_type = std::tuple_element_t<Leaf, leaves_type>;

  template <class... Paths>
  static auto plans_of(path_list<Paths...>)
      -> std::tuple<path_plan<leaves_type, decltype(completed<leaves_type, leaf_count>(Paths()))>...>;
  using paths = decltype(plans_of(typename layout<0, Chain>::paths()));
  static constexpr std::size_t path_count = std::tuple_size_v<paths>;
  template <std::size_t P>
  using path_at = std::tuple_element_t<P, paths>;

  template <class... Paths>
  static auto scalars_of(std::tuple<Paths...>*) -> std::tuple<std::array<double, Paths::scalar_count>...>;
  using scalars_type = decltype(scalars_of(static_cast<paths*>(nullptr)));

  using sums_type = sums_for<leaves_type>;

  template <class F>
  static constexpr void for_each_path(F f) { for_each_number<0, path_count>(f); }
  /// f for the one path whose number is known at run time only.
  template <class F>
  static constexpr void on_path(std::size_t p, F f) {
    for_each_path([&](auto index) {
      if (p == index) f(index);
    });
  }
  template <class F>
  static constexpr void for_each_leaf(F f) { for_each_number<0, leaf_count>(f); }

  /// The leaves at which all parameters wait for each other, in an order in which each comes after those that it waits
  /// for, and the end.
  static constexpr auto phases = []<std::size_t... L>(std::index_sequence<L...>) {
    std::array<std::size_t, (std::size_t{1} + ... + modelwise<leaf_type<L>>)> leaves{};
    std::size_t n = 0;
    ((modelwise<leaf_type<L>> ? leaves[n++] = L : n), ...);
    leaves[n] = leaf_count;
    return leaves;
  }(std::make_index_sequence<leaf_count>());

  template <class F>
  static constexpr void for_each_phase(F f) { for_each_number<0, phases.size()>(f); }

  /// The leaf that may stop a step and the one that may swallow it; `leaf_count` where there is none.
  template <std::size_t... L>
  static constexpr std::size_t first_stopping(std::index_sequence<L...>) {
    return first_of<leaf_count + 1>({stopping<leaf_type<L>>..., true});
  }
  template <std::size_t... L>
  static constexpr std::size_t first_gate(std::index_sequence<L...>) {
    return first_of<leaf_count + 1>({gate<leaf_type<L>>..., true});
  }
  static constexpr std::size_t stopping_leaf = first_stopping(std::make_index_sequence<leaf_count>());
  static constexpr std::size_t gate_leaf = first_gate(std::make_index_sequence<leaf_count>());

  template <class... Paths>
  static constexpr bool is_head(std::size_t leaf, std::tuple<Paths...>*) {
    return leaf == leaf_count || (Paths::opens_with(leaf) && ...);
  }
  template <class... Paths>
  static constexpr bool gate_is_head(std::tuple<Paths...>*) {  // but for `stopping`, which changes nothing
    const auto opens = []<class Path>(std::type_identity<Path>) {
      if (!Path::contains(gate_leaf)) return false;
      for (std::size_t i = 0; i < Path::position_of(gate_leaf); ++i)
        if (Path::kinds[i] != kind::contextual && Path::leaf[i] != stopping_leaf) return false;
      return true;
    };
    return gate_leaf == leaf_count || (opens(std::type_identity<Paths>()) && ...);
  }

  template <std::size_t Path, std::size_t Phase>
  static constexpr part part_of = [] {
    using path = path_at<Path>;
    constexpr auto cuts = path::template stages<Fused>;
    constexpr bool ends = phases[Phase] == leaf_count;
    if (!ends && !path::contains(phases[Phase])) return part();
    return part_until(ends ? path::positions : path::position_of(phases[Phase]), path::kinds,
                      std::span(cuts.list).first(cuts.count));
  }();

  template <std::size_t Leaf, class... Paths>
  static constexpr bool is_read(std::tuple<Paths...>*) {
    if constexpr (feeding<leaf_type<Leaf>>)
      return (Paths::template read_behind<typename leaf_type<Leaf>::feeds>(Paths::position_of(Leaf)) || ...);
    else return true;
  }
  template <class... Paths>
  static constexpr bool terminals_are_last(std::tuple<Paths...>*) {
    return (Paths::only_the_last_writes() && ...);
  }

  static_assert(is_head(stopping_leaf, static_cast<paths*>(nullptr)),
                "thalweg: a transform that may stop the step (when_finite) must be the first of the whole chain");
  static_assert(gate_is_head(static_cast<paths*>(nullptr)),
                "thalweg: a transform that swallows steps (accumulate) must be the first of the whole chain, or stand "
                "behind when_finite");
  template <std::size_t... L>
  static constexpr std::size_t gates(std::index_sequence<L...>) { return (std::size_t{0} + ... + gate<leaf_type<L>>); }
  static_assert(gates(std::make_index_sequence<leaf_count>()) <= 1,
                "thalweg: a chain may hold one transform that swallows steps (accumulate), and no second one");
  static_assert(terminals_are_last(static_cast<paths*>(nullptr)),
                "thalweg: something stands after a transform that has written the parameters; the terminal transform "
                "(apply_update, update_by_schedule_free, …) must be the last of its chain");
  static_assert([]<std::size_t... L>(std::index_sequence<L...>) {
    return (is_read<L>(static_cast<paths*>(nullptr)) && ...);
  }(std::make_index_sequence<leaf_count>()),
                "thalweg: nothing downstream reads what a transform of this chain feeds: amuse_beta must stand before "
                "a transform that reads beta, such as update_by_schedule_free");
};

}  // namespace thalweg::detail
