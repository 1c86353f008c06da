// From a chain's types to what is launched for it: the only code for a device that is compiled anew for every chain.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
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
class form_of final : public any_form<T> {
  using transform_now = settled_t<Transform>;
  static_assert(has_device_form<transform_now, T>,
                "thalweg: [cuda] a tensor-wise transform of this chain has no device form for numbers of this type");
  static_assert(states_of<Transform>::arrays == 0, "thalweg: [cuda] a device form is handed no states");
  device_form<transform_now, T> form_;

public:
  form_of(const Transform& t, std::span<const device_update<T>> updates, cudaStream_t stream)
      : form_(settled(t, context()), updates, stream) {}

  void operator()(const void* prepared) override {
    const at_barrier<Transform>& made = **static_cast<const prepared_of<Transform>*>(prepared);
    form_(settled(*made.transform, made.seen), made.seen);
  }
  [[nodiscard]] std::string computed_by() const override {
    if constexpr (requires { form_.computed_by(); }) return form_.computed_by();
    else return "";
  }
  [[nodiscard]] std::size_t scratch_bytes() const override {
    if constexpr (requires { form_.scratch_bytes(); }) return form_.scratch_bytes();
    else return 0;
  }
};

template <class T, class Transform>
class launched final : public launched_transform<T> {
  static_assert(computable<settled_t<Transform>>,
                "thalweg: [cuda] a transform of this chain is no constant expression on ones at its defaults: its `at`, "
                "`reduce`, kernels and whatever they call must be constexpr");

  static const Transform& itself(const void* transform) { return *static_cast<const Transform*>(transform); }

public:
  void sum_chunks([[maybe_unused]] cudaStream_t stream, [[maybe_unused]] const members<T>& all,
                  [[maybe_unused]] const void* prepared, [[maybe_unused]] double* partials) const override {
    if constexpr (reducing<Transform>) {
      const at_barrier<Transform>& made = **static_cast<const prepared_of<Transform>*>(prepared);
      using tag = chunk_sums_tag<T, Transform>;
      launch_sums_as<tag>(stream, all.chunk_count,
                          {all, reinterpret_cast<typename tag::body::sums*>(partials),
                           {made.transform->reduce(made.seen)}});
    }
  }
  void add_up([[maybe_unused]] cudaStream_t stream, [[maybe_unused]] const double* partials,
              [[maybe_unused]] const std::uint32_t* first, [[maybe_unused]] std::size_t count,
              [[maybe_unused]] double* totals) const override {
    if constexpr (reducing<Transform>) {
      using body = totals_body<sums_of<Transform>>;
      launch_sums(stream, count,
                  body{reinterpret_cast<const typename body::sums*>(partials), first,
                       reinterpret_cast<typename body::sums*>(totals)});
    }
  }
  void absorb([[maybe_unused]] cudaStream_t stream, [[maybe_unused]] const members<T>& all,
              [[maybe_unused]] const void* transform, [[maybe_unused]] long call) const override {
    if constexpr (gate<Transform>)
      launch_as<absorb_tag<T, Transform>>(stream, all.chunk_count, {all, {absorb_by(itself(transform), call)}});
  }
  void average([[maybe_unused]] cudaStream_t stream, [[maybe_unused]] const void* transform,
               [[maybe_unused]] const double* scalars, [[maybe_unused]] std::size_t n, [[maybe_unused]] T* y,
               [[maybe_unused]] T* const* states, [[maybe_unused]] T* out) const override {
    if constexpr (averaging<Transform>) {
      using tag = average_tag<T, Transform>;
      typename tag::body body{y, out, n, {}, average_by(itself(transform), scalars)};
      std::copy_n(states, body.states.size(), body.states.begin());
      launch_as<tag>(stream, (n + chunk_elements - 1) / chunk_elements, body);
    }
  }
  std::unique_ptr<any_form<T>> form([[maybe_unused]] const void* transform,
                                    [[maybe_unused]] std::span<const device_update<T>> updates,
                                    [[maybe_unused]] cudaStream_t stream) const override {
    if constexpr (kind_of<Transform>() == kind::tensorwise)
      return std::make_unique<form_of<T, Transform>>(itself(transform), updates, stream);
    else return nullptr;
  }
};

template <class T, class Transform>
void add_transform(launches<T>& to) {
  static const launched<T, Transform> one;
  if constexpr (kind_of<Transform>() != kind::contextual) to.transforms.push_back({id_of<Transform>(), &one});
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
  using plan = laid_out<Chain>;
  const auto add_way = [&]<class Way>(std::type_identity<Way>) {
    [&]<std::size_t... Stage>(std::index_sequence<Stage...>) {
      (add_pass<T>(to, Way::template kernels_of<Stage>()), ...);
    }(std::make_index_sequence<Way::stages.count>());
  };
  [&]<class... Paths>(path_list<Paths...>) {
    (add_way(std::type_identity<cut_way<true, typename plan::leaves, Paths>>()), ...);
  }(typename plan::paths());
}

template <class T, class Chain>
launches<T> launches_of_chain() {
  launches<T> all;
  [&]<class... Leaves>(std::tuple<Leaves...>*) {
    (add_transform<T, Leaves>(all), ...);
  }(static_cast<typename laid_out<Chain>::leaves*>(nullptr));
  add_passes<T, Chain>(all);
  return all;
}

/// The host has nothing to run for a device.
struct launched_passes {
  static constexpr bool fused = true;
  static launched_passes in(std::size_t) { return {}; }
  template <traffic Writes, class T, class... Bound>
  void run(std::size_t, const arrays<T>&, const Bound&...) const {}
  template <class T, class Bound>
  std::array<double, Bound::count> reduce(std::size_t, const T*, const T*, const T*, const Bound&) const { return {}; }
};

template <class T, class... Links>
program<T> program_of_chain(const chained<Links...>& c) {
  nodes<T> links;
  add_nodes<T, launched_passes, false>(links, c, 0);
  return make_program<T>(to_text(c), std::move(links), erased<T, launched_passes, false>(apply_update(), 0), {});
}

}  // namespace thalweg::cuda::detail
