// Routes: each parameter takes the first branch whose predicate holds for it.
// A parameter without a role is refused where its way depends on the role.
//     route(when(hidden_matrix, nesterov_ema{} | orthogonalize_update{}), otherwise(scale_by_adam{}))
//
// Contextual transforms in a branch act on its parameters alone, also in what follows the route.
#pragma once

#include <concepts>
#include <string>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/chain.hpp>

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
  std::tuple<Branches...> branches;

  /// `route(when(hidden_matrix, nesterov_ema(…) | …), otherwise(…))`; a predicate without a `name` is `...`.
  [[nodiscard]] std::string text() const {
    const auto text_of_branch = []<class Predicate, class Chain>(const branch<Predicate, Chain>& b) {
      const std::string links = detail::text_of_links(b.chain);
      const bool names = !std::is_same_v<Predicate, every_parameter>;
      return in_words(names ? "when(" : "otherwise(", names ? name_of(b.predicate) : "",
                      names && !links.empty() ? ", " : "", links, ")");
    };
    return std::apply([&](const auto&... b) { return call_text("route", text_of_branch(b)...); }, branches);
  }
};

/// A matrix or filter between the layers: what Muon is for. Not embeddings, not the head, not vectors.
struct is_hidden_matrix {
  static constexpr std::string_view name = "hidden_matrix";
  constexpr bool operator()(const parameter_info& p) const { return p.role == role::hidden && p.shape.size() >= 2; }
};
inline constexpr is_hidden_matrix hidden_matrix;

/// By the role that the parameter was given: `route(when(is_embedding, freeze{}), otherwise(…))`.
struct embedding_role {
  static constexpr std::string_view name = "is_embedding";
  constexpr bool operator()(const parameter_info& p) const { return p.role == role::embedding; }
};
inline constexpr embedding_role is_embedding;

struct head_role {
  static constexpr std::string_view name = "is_head";
  constexpr bool operator()(const parameter_info& p) const { return p.role == role::head; }
};
inline constexpr head_role is_head;

/// Rank below 2, whatever the role: biases, gains, scalars.
struct vector_shape {
  static constexpr std::string_view name = "is_vector";
  constexpr bool operator()(const parameter_info& p) const { return p.shape.size() < 2; }
};
inline constexpr vector_shape is_vector;

template <class Predicate, class... Ts>
constexpr auto when(Predicate predicate, Ts... ts) {
  static_assert(std::predicate<const Predicate&, const parameter_info&>,
                "thalweg: when(predicate, chain) needs a predicate that takes a const parameter_info&");
  auto links = chain(std::move(ts)...);
  return branch<Predicate, decltype(links)>{std::move(predicate), std::move(links)};
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
