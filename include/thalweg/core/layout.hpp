// The compile-time structure of a chain: its leaves in order, and the paths of its routes.
#pragma once

#include <array>
#include <cstddef>
#include <tuple>
#include <utility>

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/plan.hpp>
#include <thalweg/core/route.hpp>

namespace thalweg::detail {

template <class... Paths>
struct path_list {};

template <class... A, class... B>
path_list<A..., B...> operator+(path_list<A...>, path_list<B...>);

template <std::size_t... A, std::size_t... B>
std::index_sequence<A..., B...> joined(std::index_sequence<A...>, std::index_sequence<B...>);

template <class A, class... Bs>
auto each_joined(A, path_list<Bs...>) -> path_list<decltype(joined(A(), Bs()))...>;

template <class... As, class Bs>
auto product(path_list<As...>, Bs) -> decltype((path_list<>() + ... + each_joined(As(), Bs())));

/// The transform whose passes a leaf runs: its own, or the changed one.
template <class Leaf>
struct run_as { using type = Leaf; };
template <class Leaf>
  requires requires { typename Leaf::runs; }
struct run_as<Leaf> : run_as<typename Leaf::runs> {};

/// leaves: the number of transforms; paths: the ways through them, as indices of leaves that begin at First.
template <std::size_t First, class Node>
struct layout {
  static constexpr std::size_t leaves = 1;
  using types = std::tuple<typename run_as<Node>::type>*;
  using paths = path_list<std::index_sequence<First>>;
};
template <class... A, class... B>
std::tuple<A..., B...>* operator+(std::type_identity<std::tuple<A...>*>, std::type_identity<std::tuple<B...>*>);

template <std::size_t First>
struct layout<First, chained<>> {
  static constexpr std::size_t leaves = 0;
  using types = std::tuple<>*;
  using paths = path_list<std::index_sequence<>>;
};
template <std::size_t First, class Link, class... Links>
struct layout<First, chained<Link, Links...>> {
  using head = layout<First, Link>;
  using tail = layout<First + head::leaves, chained<Links...>>;
  static constexpr std::size_t leaves = head::leaves + tail::leaves;
  using types = decltype(std::type_identity<typename head::types>() + std::type_identity<typename tail::types>());
  using paths = decltype(product(typename head::paths(), typename tail::paths()));
};
template <std::size_t First>
struct layout<First, routed<>> {
  static constexpr std::size_t leaves = 0;
  using types = std::tuple<>*;
  using paths = path_list<>;
};
template <std::size_t First, class Predicate, class Chain, class... Branches>
struct layout<First, routed<branch<Predicate, Chain>, Branches...>> {
  using head = layout<First, Chain>;
  using tail = layout<First + head::leaves, routed<Branches...>>;
  static constexpr std::size_t leaves = head::leaves + tail::leaves;
  using types = decltype(std::type_identity<typename head::types>() + std::type_identity<typename tail::types>());
  using paths = decltype(typename head::paths() + typename tail::paths());
};

template <class... Leaves>
constexpr std::array<traits, sizeof...(Leaves)> traits_of_all(std::tuple<Leaves...>*) {
  return {traits_of<Leaves>()...};
}

/// A chain with its implicit end: if a way does not write the parameters, it ends in `apply_update`, the leaf after the
/// last.
template <class Chain>
struct laid_out {
  using written = layout<0, Chain>;
  using leaves = std::remove_pointer_t<decltype(std::type_identity<typename written::types>() +
                                                std::type_identity<std::tuple<apply_update>*>())>;
  template <std::size_t Leaf>
  using leaf_type = std::tuple_element_t<Leaf, leaves>;

  static constexpr std::array all = traits_of_all(static_cast<leaves*>(nullptr));
  template <std::size_t... Leaf>
  static constexpr auto completed(std::index_sequence<Leaf...>) {
    if constexpr ((all[Leaf].ends || ...)) return std::index_sequence<Leaf...>();
    else return std::index_sequence<Leaf..., written::leaves>();
  }
  template <class... Paths>
  static auto complete(path_list<Paths...>) -> path_list<decltype(completed(Paths()))...>;
  using paths = decltype(complete(typename written::paths()));

  static constexpr mistake wrong = [] {
    return []<class... Paths>(path_list<Paths...>) {
      const auto indices = []<std::size_t... Leaf>(std::index_sequence<Leaf...>) {
        return std::array<std::size_t, sizeof...(Leaf)>{Leaf...};
      };
      const list ways{indices(Paths())...};
      return ways.apply([](const auto&... w) {
        const std::array<way, sizeof...(w)> spans{way(w)...};
        return find_mistake(all, spans).what;
      });
    }(paths());
  }();
#define THALWEG_REFUSED(what, text) static_assert(wrong != mistake::what, "thalweg: " text);
  THALWEG_MISTAKES(THALWEG_REFUSED)
#undef THALWEG_REFUSED
};

/// Types of transforms whose kernels share a pass.
template <class... Transforms>
struct kernels {};

template <class... A, class... B>
kernels<A..., B...> operator+(kernels<A...>, kernels<B...>);

template <bool Fused, class Leaves, class Way>
struct cut_way;
/// A way and its stages.
template <bool Fused, class Leaves, std::size_t... Leaf>
struct cut_way<Fused, Leaves, std::index_sequence<Leaf...>> {
  static constexpr std::size_t positions = sizeof...(Leaf);
  static constexpr std::array<std::size_t, positions> leaf{Leaf...};
  template <std::size_t Position>
  using transform_at = std::tuple_element_t<leaf[Position], Leaves>;
  static constexpr std::array<kind, positions> kinds{kind_of<std::tuple_element_t<Leaf, Leaves>>()...};

  struct stage_list {
    std::array<stage, 2 * positions + 1> list{};
    std::size_t count = 0;
  };
  static constexpr stage_list stages = [] {
    stage_list all;
    cut(kinds, Fused, [&](stage s) { all.list[all.count++] = s; });
    return all;
  }();

  template <std::size_t Position>
  static constexpr auto kernel_at() {
    if constexpr (has_kernel(kinds[Position])) return kernels<transform_at<Position>>();
    else return kernels<>();
  }
  /// The transforms of a stage that have kernels.
  template <std::size_t Stage>
  static constexpr auto kernels_of() {
    constexpr std::size_t begin = stages.list[Stage].begin, end = stages.list[Stage].end;
    return []<std::size_t... I>(std::index_sequence<I...>) {
      return decltype((kernels<>() + ... + kernel_at<stages.list[Stage].begin + I>()))();
    }(std::make_index_sequence<end - begin>());
  }
};

/// Calls f(kernels<…>()) for each stage of a way.
template <class Way, class F>
constexpr void for_each_stage(F f) {
  [&]<std::size_t... Stage>(std::index_sequence<Stage...>) {
    (f(Way::template kernels_of<Stage>()), ...);
  }(std::make_index_sequence<Way::stages.count>());
}
/// The same for each way through a chain.
template <class Chain, bool Fused, class F>
constexpr void for_each_stage_of_chain(F f) {
  using plan = laid_out<Chain>;
  [&]<class... Paths>(path_list<Paths...>) {
    (for_each_stage<cut_way<Fused, typename plan::leaves, Paths>>(f), ...);
  }(typename plan::paths());
}

}  // namespace thalweg::detail
