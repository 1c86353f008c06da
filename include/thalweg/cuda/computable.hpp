// Whether a device can compute a transform. nvcc silently compiles calls of functions that are not constexpr to
// nothing. A constant expression refuses such calls.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <type_traits>
#include <utility>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/lower.hpp>

namespace thalweg::cuda::detail {

template <class Kernel, std::size_t... I>
constexpr void compute(const Kernel& kernel, std::index_sequence<I...>) {
  using real = number<double>;
  static_cast<void>(kernel(element<real>{real(1.0), real(1.0), real(1.0)}, (static_cast<void>(I), real(1.0))...));
}

/// Calls all its device functions, with its defaults, with all inputs 1.
template <class Transform>
constexpr bool computes() {
  constexpr std::make_index_sequence<states_of<Transform>::arrays> arrays;
  const auto t = thalweg::detail::with_defaults<Transform>();
  context c{.lr = 1, .loss = 1};
  c.say<interpolation_beta>(0.9);
  std::array<double, states_of<Transform>::scalars + 1> scalars{};
  scalars.fill(0.9);
  if constexpr (thalweg::detail::reducing<Transform>) {
    std::array<double, thalweg::detail::sums_of<Transform>> sums{};
    sums.fill(1);
    thalweg::detail::scalars_of<Transform> own{};
    own.fill(0.9);
    compute(thalweg::detail::call_reduce(t, c, own.data()), thalweg::detail::reduced_indices<Transform>());
    compute(thalweg::detail::kernel_by_sums(t, c, sums.data(), own).kernel, arrays);
  } else {
    compute(thalweg::detail::call_at(t, c, scalars.data()), arrays);
  }
  if constexpr (averaging<Transform>) compute(thalweg::detail::average_by(t, scalars.data()).kernel, arrays);
  return true;
}

/// Functions for the host are not checked, nor are transforms that cannot be made without
/// arguments.
template <class Transform>
concept computable = !(thalweg::detail::reducing<Transform> || elementwise<Transform>) ||
                     !(std::default_initializable<Transform> || thalweg::detail::required_fields<Transform>() > 0) || requires {
  typename std::bool_constant<computes<Transform>()>;
};

}  // namespace thalweg::cuda::detail
