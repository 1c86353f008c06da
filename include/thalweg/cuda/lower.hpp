// From a chain's types to its launches: the only code for a device that is compiled for every chain.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/lower.hpp>
#include <thalweg/cuda/computable.hpp>
#include <thalweg/cuda/device_form.hpp>
#include <thalweg/cuda/pass.hpp>
#include <thalweg/cuda/reduction.hpp>

namespace thalweg::cuda::detail {

// ---- one transform --------------------------------------------------------------------------------

template <class T, class Transform>
any_form form_of(const Transform& t, std::span<const device_update<T>> updates, cudaStream_t stream) {
  static_assert(has_device_form<Transform, T>,
                "thalweg: [cuda] a tensor-wise transform of this chain has no device form for numbers of this type");
  static_assert(states_of<Transform>::arrays == 0, "thalweg: [cuda] a device form is handed no states");
  const auto form = std::make_shared<device_form<Transform, T>>(t, updates, stream);
  any_form made{.run = [form](const void* prepared) {
    const at_barrier<Transform>& now = made_by<Transform>(prepared);
    (*form)(*now.transform, now.seen);
  }};
  if constexpr (requires { form->computed_by(); }) made.computed_by = form->computed_by();
  if constexpr (requires { form->scratch_bytes(); }) made.scratch_bytes = form->scratch_bytes();
  return made;
}

template <class T, class Transform>
launched_transform<T> launched() {
  static_assert(computable<Transform>,
                "thalweg: [cuda] a transform of this chain is no constant expression on ones at its defaults: its `at`, "
                "`reduce`, kernels and whatever they call must be constexpr");
  launched_transform<T> made{id_of<Transform>()};
  if constexpr (reducing<Transform>) {
    made.sum_chunks = [](cudaStream_t stream, const members<T>& all, const void* prepared, double* partials) {
      const at_barrier<Transform>& now = made_by<Transform>(prepared);
      with_numbers(all, [&]<class Numbers>(Numbers) {
        using tag = chunk_sums_tag<T, Numbers, Transform>;
        launch_as<tag>(stream, all.chunk_count,
                       {all, reinterpret_cast<typename tag::body::sums*>(partials), now.reduction()});
      });
    };
    made.add_up = [](cudaStream_t stream, const double* partials, chunk_range of, std::size_t count, double* totals) {
      using body = totals_body<sums_of<Transform>>;
      launch(stream, count,
             body{reinterpret_cast<const typename body::sums*>(partials), of,
                  reinterpret_cast<typename body::sums*>(totals)});
    };
  }
  if constexpr (gate<Transform>)
    made.absorb = [](cudaStream_t stream, const members<T>& all, const void* transform, long call) {
      with_numbers(all, [&]<class Numbers>(Numbers) {
        using tag = absorb_tag<T, Numbers, Transform>;
        launch_as<tag>(stream, all.chunk_count, {all, {absorb_by(*static_cast<const Transform*>(transform), call)}});
      });
    };
  if constexpr (averaging<Transform>)
    made.average = [](cudaStream_t stream, const void* transform, const double* scalars, std::size_t n,
                      const stored_array& y, const stored_array* states, T* out) {
      using tag = average_tag<T, Transform>;
      typename tag::body body{y, out, n, {}, average_by(*static_cast<const Transform*>(transform), scalars)};
      std::copy_n(states, body.states.size(), body.states.begin());
      launch_as<tag>(stream, (n + chunk_elements - 1) / chunk_elements, body);
    };
  if constexpr (kind_of<Transform>() == kind::tensorwise)
    made.form = [](const void* transform, std::span<const device_update<T>> updates, cudaStream_t stream) {
      return form_of<T>(*static_cast<const Transform*>(transform), updates, stream);
    };
  return made;
}

// ---- a chain ---------------------------------------------------------------------------------------

template <class T, class... Transforms>
void add_pass(launches<T>& to, kernels<Transforms...>) {
  if constexpr (sizeof...(Transforms) > 0)
    to.passes.push_back({{id_of<Transforms>()...}, &launch_pass<T, Transforms...>});
}

/// The passes of every stage of a chain.
template <class T, class Chain>
void add_passes(launches<T>& to) {
  for_each_stage_of_chain<Chain, true>([&](auto kernels) { add_pass<T>(to, kernels); });
}

template <class T, class Chain>
launches<T> launches_of_chain() {
  launches<T> all;
  [&]<class... Leaves>(std::tuple<Leaves...>*) {
    (all.transforms.push_back(launched<T, Leaves>()), ...);
  }(static_cast<typename laid_out<Chain>::leaves*>(nullptr));
  add_passes<T, Chain>(all);
  return all;
}

/// Of a device's program the host runs nothing.
struct launched_passes {
  static constexpr bool fused = true;
  static constexpr std::string_view text = "";
  static launched_passes in(std::size_t) { return {}; }
  template <traffic Writes, class T, class... Bound>
  void run(std::size_t, const arrays<T>&, const Bound&...) const {}
  template <class T, class Bound>
  void reduce(std::size_t, const arrays<T>&, double*, const Bound&) const {}
};

}  // namespace thalweg::cuda::detail
