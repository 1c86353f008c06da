// The compile-time shape of a chain: its leaves in order, the paths that routes lead through them, and the stages
// into which the barriers cut a path.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include <thalweg/core/route.hpp>

namespace thalweg::detail {

template <std::size_t... Leaf>
using path = std::index_sequence<Leaf...>;
template <class... Paths>
struct path_list {};

template <class... A, class... B>
path_list<A..., B...> operator+(path_list<A...>, path_list<B...>);

template <std::size_t... A, std::size_t... B>
path<A..., B...> joined(path<A...>, path<B...>);

template <std::size_t... A, class... Bs>
auto each_joined(path<A...>, path_list<Bs...>) -> path_list<decltype(joined(path<A...>(), Bs()))...>;

template <class... As, class Bs>
auto product(path_list<As...>, Bs) -> decltype((path_list<>() + ... + each_joined(As(), Bs())));

/// leaves: how many transforms; paths: the ways through them, as indices of leaves, the first being First.
template <std::size_t First, class Node>
struct layout {
  static constexpr std::size_t leaves = 1;
  using paths = path_list<path<First>>;
};
template <std::size_t First>
struct layout<First, chained<>> {
  static constexpr std::size_t leaves = 0;
  using paths = path_list<path<>>;
};
template <std::size_t First, class Link, class... Links>
struct layout<First, chained<Link, Links...>> {
  using head = layout<First, Link>;
  using tail = layout<First + head::leaves, chained<Links...>>;
  static constexpr std::size_t leaves = head::leaves + tail::leaves;
  using paths = decltype(product(typename head::paths(), typename tail::paths()));
};
template <std::size_t First>
struct layout<First, routed<>> {
  static constexpr std::size_t leaves = 0;
  using paths = path_list<>;
};
template <std::size_t First, class Predicate, class Chain, class... Branches>
struct layout<First, routed<branch<Predicate, Chain>, Branches...>> {
  using head = layout<First, Chain>;
  using tail = layout<First + head::leaves, routed<Branches...>>;
  static constexpr std::size_t leaves = head::leaves + tail::leaves;
  using paths = decltype(typename head::paths() + typename tail::paths());
};

template <class... Paths>
constexpr std::size_t count(path_list<Paths...>) { return sizeof...(Paths); }
template <class Node>
inline constexpr std::size_t path_count = count(typename layout<0, Node>::paths());

// The leaves of a chain, in the order of their indices.
template <class Leaf>
constexpr auto leaves(const Leaf& leaf) { return std::tuple<Leaf>(leaf); }
template <class... Links>
constexpr auto leaves(const chained<Links...>& c);
template <class... Branches>
constexpr auto leaves(const routed<Branches...>& r) {
  return std::apply([](const auto&... b) { return std::tuple_cat(leaves(b.chain)...); }, r.branches);
}
template <class... Links>
constexpr auto leaves(const chained<Links...>& c) {
  return std::apply([](const auto&... l) { return std::tuple_cat(leaves(l)...); }, c.links);
}

[[noreturn]] inline void refuse_route(const parameter_info& p) {
  throw error("route", "Expected a branch for every parameter. Received '", p.name, "' with shape ", p.shape,
              " and role ", p.role, ", which no when(…) takes. Add otherwise(…).");
}

// Which path a parameter takes, numbered as `layout::paths` numbers them.
template <class Leaf>
std::size_t select(const Leaf&, const parameter_info&) { return 0; }
template <class... Links>
std::size_t select(const chained<Links...>& c, const parameter_info& p);
template <class... Branches>
std::size_t select(const routed<Branches...>& r, const parameter_info& p) {
  std::optional<std::size_t> chosen;
  std::size_t first = 0;
  const auto consider = [&](const auto& b) {
    if (!chosen && b.predicate(p)) chosen = first + select(b.chain, p);
    first += path_count<std::remove_cvref_t<decltype(b.chain)>>;
  };
  std::apply([&](const auto&... b) { (consider(b), ...); }, r.branches);
  if (!chosen) refuse_route(p);
  return *chosen;
}
template <class... Links>
std::size_t select(const chained<Links...>& c, const parameter_info& p) {
  std::size_t index = 0;
  std::apply([&](const auto&... l) {
    ((index = index * path_count<std::remove_cvref_t<decltype(l)>> + select(l, p)), ...);
  }, c.links);
  return index;
}

enum class kind { contextual, elementwise, tensorwise, parameterwise, modelwise };

template <class Transform>
constexpr kind kind_of() {
  if constexpr (modelwise<Transform>) return kind::modelwise;
  else if constexpr (parameterwise<Transform>) return kind::parameterwise;
  else if constexpr (contextual<Transform>) return kind::contextual;
  else if constexpr (elementwise<Transform>) return kind::elementwise;
  else return kind::tensorwise;
}

/// Positions [begin, end) of a path, run in one pass over memory; then the barrier at `end`, if the path goes on.
struct stage {
  std::size_t begin = 0, end = 0;
};

constexpr bool reduces(kind k) { return k == kind::parameterwise || k == kind::modelwise; }

/// A path's stages. A transform that reduces ends the stage before it and begins the next, where its kernel is fused
/// with what follows.
template <std::size_t Positions>
struct stages {
  std::array<stage, 2 * Positions + 1> list{};
  std::size_t count = 0;
};

/// found(stage) for each of a path's, in their order.
template <class Found>
constexpr void cut(std::span<const kind> kinds, bool fused, Found found) {
  std::size_t begin = 0;
  bool kernels = false;  // in [begin, i)
  for (std::size_t i = 0; i < kinds.size(); ++i) {
    const bool barrier = kinds[i] == kind::tensorwise || reduces(kinds[i]);
    const bool kernel = kinds[i] == kind::elementwise;
    if (barrier || (!fused && kernel && kernels)) {
      found(stage{begin, i});
      begin = kinds[i] == kind::tensorwise ? i + 1 : i;
      kernels = false;
    }
    kernels |= kernel || reduces(kinds[i]);
  }
  found(stage{begin, kinds.size()});
}

template <bool Fused, class... Leaves>
constexpr auto cut() {
  constexpr std::size_t n = sizeof...(Leaves);
  const std::array<kind, n + 1> kinds{kind_of<Leaves>()...};
  stages<n> cuts;
  cut(std::span(kinds).first(n), Fused, [&](stage s) { cuts.list[cuts.count++] = s; });
  return cuts;
}

/// A path's part in a phase: its stages [first, last), and how the path stands at the phase's end.
struct part {
  std::size_t first = 0, last = 0;
  std::size_t reduction = 0;   ///< the position where it is reduced, if it does not end
  bool takes_part = false;
  bool whole_tensors = false;  ///< a tensor-wise barrier or an unfused stage is inside
};

/// The part from the model-wise barrier before `to`, if there is one, up to position `to`.
constexpr part part_until(std::size_t to, std::span<const kind> kinds, std::span<const stage> cuts) {
  part p{.first = cuts.size(), .reduction = to, .takes_part = true};
  std::size_t from = 0;
  for (std::size_t i = 0; i < to; ++i)
    if (kinds[i] == kind::modelwise) from = i;
  for (std::size_t i = 0; i < cuts.size(); ++i)
    if (cuts[i].begin >= from && cuts[i].end <= to) {
      p.first = p.first < i ? p.first : i;
      p.last = i + 1;
      const bool crosses = cuts[i].end < to;  // a barrier of the parameter's own
      p.whole_tensors = p.whole_tensors || crosses;
    }
  return p;
}

}  // namespace thalweg::detail
