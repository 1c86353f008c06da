// The same chain, one transform at a time: every update in memory, scalar loops. The oracle of the fused engine.
//
//     auto slow = optimizer(unfused(recipes::amuse()), parameters, {.lr = 0.02});
#pragma once

#include <thalweg/core/route.hpp>

namespace thalweg {

template <class Chain>
struct unfused_chain {
  Chain chain;
};

template <class... Ts>
constexpr auto unfused(Ts... ts) {
  auto links = chain(std::move(ts)...);
  return unfused_chain<decltype(links)>{std::move(links)};
}

namespace detail {
template <class T>
struct bindable {  // what an optimizer can be made from: a chain, or one transform
  static constexpr bool fused = true;
  static constexpr auto links(T t) { return chain(std::move(t)); }
};
template <class Chain>
struct bindable<unfused_chain<Chain>> {
  static constexpr bool fused = false;
  static constexpr auto links(unfused_chain<Chain> t) { return std::move(t.chain); }
};
}  // namespace detail

}  // namespace thalweg
