// Routes: each parameter goes to the first branch whose predicate holds for it. If the branch depends on the role, a
// parameter without a role is refused.
//
//     route(when(hidden_matrix, nesterov_ema{} | orthogonalize_update{}), otherwise(scale_by_adam{}))
//
// Contextual transforms in a branch act only on its parameters, also after the route.
#pragma once

#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#include <thalweg/core/chain.hpp>
#include <thalweg/core/predicate.hpp>

namespace thalweg {

template <class Predicate, class Chain>
struct branch {
  Predicate predicate;
  Chain chain;
};

/// The predicate of `otherwise`.
struct every_parameter {
  constexpr bool operator()(const parameter_info&) const { return true; }
};

template <class... Branches>
struct routed {
  list<Branches...> branches;

  /// `route(when(hidden_matrix, nesterov_ema(…) | …), otherwise(…))`; a predicate without a `name` is `...`.
  [[nodiscard]] std::string text() const {
    const auto text_of_branch = []<class Predicate, class Chain>(const branch<Predicate, Chain>& b) {
      const std::string links = detail::text_of_links(b.chain);
      const bool names = !std::is_same_v<Predicate, every_parameter>;
      return in_words(names ? "when(" : "otherwise(", names ? text_of(b.predicate) : std::string(),
                      names && !links.empty() ? ", " : "", links, ")");
    };
    return branches.apply([&](const auto&... b) { return call_text("route", text_of_branch(b)...); });
  }
};

template <class Predicate, class... Ts>
constexpr auto when(Predicate predicate, Ts... ts) {
  static_assert(parameter_predicate<Predicate>,
                "thalweg: when(predicate, chain) needs a predicate that takes a const parameter_info&");
  auto links = chain(std::move(ts)...);
  return branch<Predicate, decltype(links)>{detail::checked_predicate(std::move(predicate)), std::move(links)};
}

template <class... Ts>
constexpr auto otherwise(Ts... ts) {
  return when(every_parameter{}, std::move(ts)...);
}

namespace detail {
template <class T>
inline constexpr bool is_branch = false;
template <class Predicate, class Chain>
inline constexpr bool is_branch<branch<Predicate, Chain>> = true;
template <class T>
inline constexpr bool is_otherwise = false;
template <class Chain>
inline constexpr bool is_otherwise<branch<every_parameter, Chain>> = true;

template <class... Branches>
constexpr bool otherwise_is_last() {
  const bool flags[] = {is_otherwise<Branches>...};
  for (std::size_t i = 0; i + 1 < sizeof...(Branches); ++i)
    if (flags[i]) return false;
  return true;
}
}  // namespace detail

template <class... Branches>
constexpr auto route(Branches... branches) {
  static_assert(sizeof...(Branches) > 0, "thalweg: route() needs at least one when(predicate, chain)");
  static_assert((detail::is_branch<Branches> && ...),
                "thalweg: route(...) takes when(predicate, chain) and otherwise(chain) only");
  static_assert(detail::otherwise_is_last<Branches...>(),
                "thalweg: otherwise(chain) must be the last branch of a route; those behind it are never taken");
  return routed<Branches...>{{std::move(branches)...}};
}

}  // namespace thalweg
