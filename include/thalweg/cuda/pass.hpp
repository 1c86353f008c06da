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

/// Elements [i, i + Width) on their way through a pass.
template <std::size_t Width, traffic Writes, class T, class... Bound>
constexpr void run_packet(std::size_t i, const arrays<T>& a, const Bound&... bound) {
  using some = packet<T, Width>;
  using value = number<lane<T>>;
  constexpr std::size_t count = (std::size_t{0} + ... + Bound::count);
  const some g = some::load(a.gradient + i);
  some p = some::load(a.parameter + i), u = some::load(a.before + i);
  std::array<some, count> s{};
  for (std::size_t j = 0; j < count; ++j) s[j] = some::load(a.states[j] + i);
  for (std::size_t w = 0; w < Width; ++w) {
    element<value> e{lane<T>(u.values[w]), lane<T>(g.values[w]), lane<T>(p.values[w])};
    std::array<value, count> own;
    for (std::size_t j = 0; j < count; ++j) own[j] = lane<T>(s[j].values[w]);
    run_kernels<0>(e, own, bound...);
    u.values[w] = e.update.value().value;
    p.values[w] = e.parameter.value().value;
    for (std::size_t j = 0; j < count; ++j) s[j].values[w] = own[j].value().value;
  }
  if constexpr (Writes.states)
    for (std::size_t j = 0; j < count; ++j) s[j].store(a.states[j] + i);
  if constexpr (Writes.parameter) p.store(a.parameter + i);
  if constexpr (Writes.update) u.store(a.update + i);
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
template <class T, traffic Writes, class... Kernels>
struct pass_body {
  members<T> all;
  std::tuple<Kernels...> kernels;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    constexpr std::size_t count = (std::size_t{0} + ... + Kernels::count);
    const chunk c = all.chunks[block];
    std::array<T*, count> states{};  // in registers, as all addresses: no store is feared to change them
    for (std::size_t j = 0; j < count; ++j) states[j] = all.array(c.row, all.states + j);
    const arrays<T> a{all.gradient(c.row), all.before(c.row), all.array(c.row, members<T>::update),
                      all.array(c.row, members<T>::parameter), states.data()};
    const std::size_t begin = std::size_t{c.number} * chunk_elements;
    const std::size_t end = std::min(all.sizes[c.row], begin + chunk_elements);
    std::apply([&](const auto&... k) { run(thread, begin, end, a, with_sums(k, all.sums + c.row * all.stride)...); },
               kernels);
  }

private:
  template <class... Bound>
  static constexpr void run(std::size_t thread, std::size_t begin, std::size_t end, const arrays<T>& a,
                            const Bound&... bound) {
    const bool aligned = is_aligned(a.gradient) && is_aligned(a.parameter);
    for_each_packet<T>(thread, begin, end, aligned, [&](auto width, std::size_t i) {
      run_packet<width, Writes>(i, a, bound...);
    });
  }
};

/// x of one parameter.
template <class T, class Kernel>
struct average_body {
  T *y, *out;
  std::size_t size;
  std::array<T*, Kernel::count> states;
  Kernel kernel;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t begin = block * chunk_elements, end = std::min(size, begin + chunk_elements);
    for_each_packet<T>(thread, begin, end, is_aligned(y) && is_aligned(out), [&](auto width, std::size_t i) {
      run_packet<width, average_traffic>(i, arrays<T>{y, y, out, y, states.data()}, kernel);
    });
  }
};

// Names of kernels, free of lambdas.

template <class T, class... Transforms>
struct pass_tag {
  static constexpr bool ends = (terminal<Transforms> || ...);
  using body = pass_body<T, traffic{.update = !ends, .parameter = ends}, decltype(kernel_argument<Transforms>(nullptr))...>;
};
template <class T, class Transform>
struct absorb_tag {
  using body = pass_body<T, absorb_traffic, decltype(absorb_by(std::declval<const Transform&>(), 1L))>;
};
template <class T, class Transform>
struct average_tag {
  using body = average_body<T, decltype(average_by(std::declval<const Transform&>(), nullptr))>;
};

/// Of no transforms: the gradient is copied to where the update is.
template <class T, class... Transforms>
void launch_pass(cudaStream_t stream, const members<T>& all, [[maybe_unused]] const void* const* prepared) {
  [&]<std::size_t... I>(std::index_sequence<I...>) {
    launch_as<pass_tag<T, Transforms...>>(stream, all.chunk_count, {all, {kernel_argument<Transforms>(prepared[I])...}});
  }(std::make_index_sequence<sizeof...(Transforms)>());
}

/// New addresses of the gradients, passed by value: host memory is not read later, so the launch can be captured.
template <class T>
struct set_addresses {
  static constexpr std::size_t most = 480;
  const T** to;
  std::size_t count;
  std::array<const T*, most> addresses;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    if (const std::size_t i = block * threads_per_block + thread; i < count) to[i] = addresses[i];
  }
};

}  // namespace thalweg::cuda::detail
