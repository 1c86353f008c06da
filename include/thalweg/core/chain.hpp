// A chain: transforms, in the order in which they change the gradient.
//
//     auto c = nesterov_ema{.beta = 0.95} | orthogonalize_update{} | update_by_schedule_free{.beta = 0.9};
//     auto same = chain(nesterov_ema{.beta = 0.95}, orthogonalize_update{}, update_by_schedule_free{.beta = 0.9});
//
// If the last transform does not write the parameters, `apply_update{}` is added: decoupled weight decay and lr.
#pragma once

#include <string>
#include <utility>

#include <thalweg/core/checked_transform.hpp>
#include <thalweg/core/list.hpp>
#include <thalweg/core/recipe.hpp>

namespace thalweg {

template <class... Links>
struct chained {
  list<Links...> links;
};

template <class... Branches>
struct routed;

namespace detail {
template <class T>
inline constexpr bool is_chained = false;
template <class... Links>
inline constexpr bool is_chained<chained<Links...>> = true;
template <class T>
inline constexpr bool is_routed = false;
template <class... Branches>
inline constexpr bool is_routed<routed<Branches...>> = true;

template <class T>
concept link = is_chained<T> || is_routed<T> || recipe<T> || transform<T>;

template <class T>
constexpr auto links_of(T t) {
  if constexpr (is_chained<T>) {
    return std::move(t.links);
  } else if constexpr (recipe<T>) {
    return links_of(t.links());
  } else {
    if constexpr (!is_routed<T>) static_assert(checked_transform<T>::value);
    return list<T>(std::move(t));
  }
}

template <class... Links>
std::string text_of_links(const chained<Links...>& c) {
  std::string text;
  const auto add = [&](const auto& l) { text += in_words(text.empty() ? "" : " | ", text_of(l)); };
  c.links.for_each(add);
  return text;
}

template <class... Links>
constexpr chained<Links...> chain_of(list<Links...>&& links) {
  return {std::move(links)};
}
}  // namespace detail

/// Composes transforms, routes, recipes and chains. `chain()` does not change the gradient.
template <class... Ts>
constexpr auto chain(Ts... ts) {
  if constexpr (sizeof...(Ts) == 0) return chained<>();
  else return detail::chain_of((detail::links_of(std::move(ts)) + ...));
}

/// The chain as it is written: `nesterov_ema(beta=0.95, look_ahead=interpolate) | freeze`, and `chain()` if it is empty.
template <class... Links>
std::string to_text(const chained<Links...>& c) {
  std::string text = detail::text_of_links(c);
  return text.empty() ? "chain()" : text;
}

/// A recipe is written as the chain that it stands for.
template <recipe Recipe>
std::string to_text(const Recipe& r) {
  return to_text(chain(r));
}

template <class Left, class Right>
  requires(detail::link<Left> || detail::link<Right>)
constexpr auto operator|(Left left, Right right) {
  return chain(std::move(left), std::move(right));
}

namespace recipes {
using thalweg::operator|;  // is looked for where the operands are: `mine{} | recipes::adamw()`
}

}  // namespace thalweg
