// Whether a device can compute what a transform says. nvcc compiles a call of something that is not constexpr to
// nothing, silently; a constant expression refuses it.
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

/// Everything of it that is for a device, at its defaults, on ones.
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

/// What stays on the host is nobody's business here; a transform that cannot be made without arguments is taken at its
/// word.
template <class Transform>
concept computable = !(thalweg::detail::reducing<Transform> || elementwise<Transform>) ||
                     !(std::default_initializable<Transform> || thalweg::detail::required_fields<Transform>() > 0) || requires {
  typename std::bool_constant<computes<Transform>()>;
};

}  // namespace thalweg::cuda::detail
