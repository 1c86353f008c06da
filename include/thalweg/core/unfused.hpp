// Runs the same chain one transform at a time, in scalar loops, with every update in memory. Tests compare it with the
// fused chain.
//
//     auto slow = optimizer(unfused(recipes::amuse()), parameters, {.lr = 0.02});
#pragma once

#include <string_view>
#include <utility>

#include <thalweg/core/pass.hpp>
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
struct unfused_passes {
  static constexpr bool fused = false;
  static constexpr std::string_view text = "unfused";
  static unfused_passes in(std::size_t) { return {}; }
  template <traffic Writes, class T, class... Bound>
  void run(std::size_t n, const arrays<T>& a, const Bound&... bound) const {
    run_pass<unfused_passes, number<T>, Writes>(n, a, bound...);
  }
  template <class T, class Bound>
  void reduce(std::size_t n, const arrays<T>& a, double* sums, const Bound& bound) const {
    run_reduction<unfused_passes, number<double>>(n, a, sums, bound);
  }
};
}  // namespace detail

}  // namespace thalweg
