// A list of values of different types, like std::tuple, but faster to compile.
#pragma once

#include <cstddef>
#include <utility>

namespace thalweg {

namespace detail {
template <std::size_t, class Value>
struct listed {
  Value value;
};

template <class Indices, class... Values>
struct all_listed;
template <std::size_t... I, class... Values>
struct all_listed<std::index_sequence<I...>, Values...> : listed<I, Values>... {
  template <class F>
  constexpr void for_each(F& f) const {
    (f(listed<I, Values>::value), ...);
  }
  /// f(value, value, …)
  template <class F>
  constexpr decltype(auto) apply(F&& f) const {
    return f(listed<I, Values>::value...);
  }
};
}  // namespace detail

/// `list{field{…}, field{…}}`
template <class... Values>
struct list : detail::all_listed<std::index_sequence_for<Values...>, Values...> {
  constexpr list(Values... values)
      : detail::all_listed<std::index_sequence_for<Values...>, Values...>{{std::move(values)}...} {}
};
template <>
struct list<> : detail::all_listed<std::index_sequence<>> {};

namespace detail {
/// The values of both.
template <std::size_t... I, class... A, std::size_t... J, class... B>
constexpr list<A..., B...> operator+(all_listed<std::index_sequence<I...>, A...>&& a,
                                     all_listed<std::index_sequence<J...>, B...>&& b) {
  return {std::move(static_cast<listed<I, A>&>(a).value)..., std::move(static_cast<listed<J, B>&>(b).value)...};
}
}  // namespace detail

}  // namespace thalweg
