// An exponential moving average of squares, such as Adam's second moment.
#pragma once

#include <limits>

#include <thalweg/core/scalar.hpp>

namespace thalweg {

namespace detail {
template <class T>
struct scalar_of {
  using type = T;
};
template <class T>
  requires requires { typename T::scalar; }
struct scalar_of<T> {
  using type = typename T::scalar;
};
template <class T>
using limits = std::numeric_limits<typename scalar_of<T>::type>;
}  // namespace detail

/// u, held within ±reach·2^62 (float) or ±reach·2^490 (double). A float can hold the sum of sixteen such squares, each
/// divided by reach². A transform that divides by the root of squares depends on ratios alone, so it holds its u everywhere.
template <class T>
constexpr T squarable(T u, double reach = 1) {
  const T longest = T(reach) * T(detail::limits<T>::max_exponent > 128 ? 0x1p490 : 0x1p62);
  return min(max(u, -longest), longest);
}

/// A sum of squares, held at the largest T.
template <class T>
constexpr T held_sum(T sum) {
  return min(sum, T(detail::limits<T>::max()));
}

/// v ← β·v + (1-β)·u², computed as ((1-β)·u)·u, so that no u in the range of `held` overflows: 1.5e20 in float for β = 0.999.
/// After sixteen steps of such length v stays at the largest T.
///
///     const T u = squares.held(e.update);
///     second = squares(u, second);
struct mean_of_squares {
  double beta;
  double reach;  ///< 1/√(1-β)

  constexpr explicit mean_of_squares(double beta) : beta(beta), reach(1 / sqrt(1 - beta)) {}

  template <class T>
  [[nodiscard]] constexpr T held(T u) const { return squarable(u, reach); }

  template <class T>
  [[nodiscard]] constexpr T operator()(T u, T before) const {
    const T share = T(1 - beta);
    return held_sum((before - share * before) + (share * u) * u);
  }
};

}  // namespace thalweg
