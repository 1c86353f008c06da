// Passes over device memory: consecutive kernels, inlined into one loop, for all parameters of a path at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <tuple>
#include <type_traits>
#include <utility>

#include <thalweg/core/lower.hpp>
#include <thalweg/cuda/device_form.hpp>
#include <thalweg/cuda/lane.hpp>
#include <thalweg/cuda/launch.hpp>
#include <thalweg/cuda/launches.hpp>
#include <thalweg/cuda/packet.hpp>
#include <thalweg/cuda/stored.hpp>

namespace thalweg::cuda::detail {

using namespace thalweg::detail;

/// A thread's part of [begin, end): f(width, i), with i for whole packets where all arrays are aligned, and one by one
/// for the rest. `begin` is a multiple of a packet.
template <class T, class F>
constexpr void for_each_packet(std::size_t thread, std::size_t begin, std::size_t end, bool aligned, F f) {
  constexpr std::size_t width = packet_width<T>;
  const std::size_t whole = aligned ? end - end % width : begin;
  for (std::size_t i = begin + thread * width; i < whole; i += threads_per_block * width)
    f(std::integral_constant<std::size_t, width>(), i);
  for (std::size_t i = std::max(begin, whole) + thread; i < end; i += threads_per_block)
    f(std::integral_constant<std::size_t, 1>(), i);
}

/// Elements [i, i + Width) of all arrays.
template <class T, std::size_t Width, std::size_t States>
struct packets {
  packet<T, Width> update, gradient, parameter;
  std::array<packet<T, Width>, States> states;
};

/// The arrays of one parameter, as a pass sees them. `Numbers`: all_in_place<T> or all_as_stored.
template <class T, class Numbers, std::size_t States>
struct pass_arrays {
  typename Numbers::array gradient, before;
  typename Numbers::parameter parameter;
  std::array<typename Numbers::array, States> states;
  in_place<T> update;

  [[nodiscard]] constexpr bool aligned() const { return gradient.aligned() && parameter.aligned(); }

  /// All are asked for before one is waited for.
  template <std::size_t Width>
  [[nodiscard]] constexpr packets<T, Width, States> load(std::size_t i) const {
    const auto g = gradient.template fetch<Width>(i);
    const auto p = parameter.template fetch<Width>(i);
    const auto u = before.template fetch<Width>(i);
    std::array<std::remove_const_t<decltype(g)>, States> s{};
    for (std::size_t j = 0; j < States; ++j) s[j] = states[j].template fetch<Width>(i);
    packets<T, Width, States> all{before.widened(u), gradient.widened(g), parameter.widened(p), {}};
    for (std::size_t j = 0; j < States; ++j) all.states[j] = states[j].widened(s[j]);
    return all;
  }
  template <std::size_t Width>
  constexpr void store_states(const std::array<packet<T, Width>, States>& s, std::size_t i) const {
    [&]<std::size_t... J>(std::index_sequence<J...>) {  // a long loop is not unrolled, and its arrays are in memory
      (states[J].store(s[J], i), ...);
    }(std::make_index_sequence<States>());
  }
};

template <class Numbers, std::size_t States, class T>
constexpr auto arrays_of(const members<T>& all, std::size_t row) {
  return [&]<std::size_t... J>(std::index_sequence<J...>) {
    using array = typename Numbers::array;
    return pass_arrays<T, Numbers, States>{
        array(all.gradient(row)),
        array(all.before(row)),
        typename Numbers::parameter(all.array(row, members<T>::parameter), all.rounded_parameter(row)),
        {array(all.array(row, all.states + J), all.rounded_state(row, all.states + J))...},
        in_place<T>(all.array(row, members<T>::update))};
  }(std::make_index_sequence<States>());
}

/// f(numbers): how a launch sees the arrays of its members. The code for arrays of T in place does not ask for a type: it
/// is as fast, and has as few registers, as if there were no other types.
template <class T, class F>
void with_numbers(const members<T>& all, F f) {
  if constexpr (std::is_same_v<T, float>)
    if (!all.in_place) return f(all_as_stored());
  f(all_in_place<T>());
}

/// Elements [i, i + Width) on their way through a pass.
template <std::size_t Width, traffic Writes, class T, class Numbers, std::size_t States, class... Bound>
constexpr void run_packet(std::size_t i, const pass_arrays<T, Numbers, States>& a, const Bound&... bound) {
  using value = number<lane<T>>;
  auto [u, g, p, s] = a.template load<Width>(i);
  for (std::size_t w = 0; w < Width; ++w) {
    element<value> e{lane<T>(u.values[w]), lane<T>(g.values[w]), lane<T>(p.values[w])};
    std::array<value, States> own;
    for (std::size_t j = 0; j < States; ++j) own[j] = lane<T>(s[j].values[w]);
    run_kernels<0>(e, own, bound...);
    u.values[w] = e.update.value().value;
    p.values[w] = e.parameter.value().value;
    for (std::size_t j = 0; j < States; ++j) s[j].values[w] = own[j].value().value;
  }
  if constexpr (Writes.states) a.store_states(s, i);
  if constexpr (Writes.parameter) a.parameter.store(p, i);
  if constexpr (Writes.update) a.update.store(u, i);
}

/// A transform that reduces, for the device, which has its sums.
template <class Transform>
struct awaiting_sums {
  static constexpr std::size_t count = states_of<Transform>::arrays;
  Transform transform;
  context seen;
  scalars_of<Transform> scalars;
};

/// What a transform has made for the step, and what of it is an argument of the pass.
template <class Transform>
const auto& made_by(const void* prepared) { return **static_cast<const prepared_of<Transform>*>(prepared); }
template <class Transform>
auto kernel_argument(const void* prepared) {
  const auto& made = made_by<Transform>(prepared);
  if constexpr (reducing<Transform>)
    return awaiting_sums<Transform>{*made.transform, made.seen, made.scalars};
  else return made;
}

template <std::size_t Arrays, class Kernel, bool Gathers>
constexpr const auto& with_sums(const bound_kernel<Arrays, Kernel, Gathers>& bound, const double*) { return bound; }
template <class Transform>
constexpr auto with_sums(const awaiting_sums<Transform>& waiting, const double* sums) {
  scalars_of<Transform> scalars = waiting.scalars;
  return kernel_by_sums(waiting.transform, waiting.seen, sums, scalars);
}

/// A block's chunk of a member, a thread's part of it.
template <class T, class Numbers, traffic Writes, class... Kernels>
struct pass_body {
  members<T> all;
  std::tuple<Kernels...> kernels;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const chunk c = all.chunks[block];
    // In registers, as all addresses: no store is feared to change them.
    const auto a = arrays_of<Numbers, (std::size_t{0} + ... + Kernels::count)>(all, c.row);
    const std::size_t begin = std::size_t{c.number} * chunk_elements;
    const std::size_t end = std::min(all.sizes[c.row], begin + chunk_elements);
    std::apply([&](const auto&... k) { run(thread, begin, end, a, with_sums(k, all.sums + c.row * all.stride)...); },
               kernels);
  }

private:
  template <class Arrays, class... Bound>
  static constexpr void run(std::size_t thread, std::size_t begin, std::size_t end, const Arrays& a,
                            const Bound&... bound) {
    for_each_packet<T>(thread, begin, end, a.aligned(), [&](auto width, std::size_t i) {
      run_packet<width, Writes>(i, a, bound...);
    });
  }
};

/// x of one parameter.
template <class T, class Kernel>
struct average_body {
  using array = typename any_array<T>::type;
  struct numbers {
    using array = average_body::array;
    using parameter = array;
  };
  stored_array y;
  T* out;
  std::size_t size;
  std::array<stored_array, Kernel::count> states;
  Kernel kernel;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t begin = block * chunk_elements, end = std::min(size, begin + chunk_elements);
    [&]<std::size_t... J>(std::index_sequence<J...>) {
      const pass_arrays<T, numbers, Kernel::count> a{array(y), array(y), array(y), {array(states[J])...},
                                                     in_place<T>(stored_array{out, type_of<T>})};
      for_each_packet<T>(thread, begin, end, a.aligned() && a.update.aligned(), [&](auto width, std::size_t i) {
        run_packet<width, average_traffic>(i, a, kernel);
      });
    }(std::make_index_sequence<Kernel::count>());
  }
};

/// Numbers become those of another type, rounded to nearest.
struct convert {
  stored_array from, to;
  std::size_t size;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t begin = block * chunk_elements, end = std::min(size, begin + chunk_elements);
    const as_stored<true> source(from), target(to);
    for_each_packet<float>(thread, begin, end, source.aligned() && target.aligned(), [&](auto width, std::size_t i) {
      target.store(source.widened(source.template fetch<width>(i)), i);
    });
  }
};

// Names of kernels, free of lambdas.

template <class T, class Numbers, class... Transforms>
struct pass_tag {
  static constexpr bool ends = (terminal<Transforms> || ...);
  using body = pass_body<T, Numbers, traffic{.update = !ends, .parameter = ends},
                         decltype(kernel_argument<Transforms>(nullptr))...>;
};
template <class T, class Numbers, class Transform>
struct absorb_tag {
  using body = pass_body<T, Numbers, absorb_traffic, decltype(absorb_by(std::declval<const Transform&>(), 1L))>;
};
template <class T, class Transform>
struct average_tag {
  using body = average_body<T, decltype(average_by(std::declval<const Transform&>(), nullptr))>;
};

/// Of no transforms: the gradient is copied to where the update is.
template <class T, class... Transforms>
void launch_pass(cudaStream_t stream, const members<T>& all, [[maybe_unused]] const void* const* prepared) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    with_numbers(all, [&]<class Numbers>(Numbers) {
      launch_as<pass_tag<T, Numbers, Transforms...>>(stream, all.chunk_count,
                                                     {all, {kernel_argument<Transforms>(prepared[I])...}});
    });
  }(std::make_index_sequence<sizeof...(Transforms)>());
}

/// New addresses and types of the gradients, passed by value: host memory is not read later, so the launch can be
/// captured.
struct set_gradients {
  static constexpr std::size_t most = 448;
  given_gradient* to;
  std::size_t count;
  std::array<const void*, most> addresses;
  std::array<number_type, most> types;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    if (const std::size_t i = block * threads_per_block + thread; i < count) to[i] = {addresses[i], types[i]};
  }
};

}  // namespace thalweg::cuda::detail
