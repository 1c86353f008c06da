// One pass over device memory: the kernels of a stage, inlined into each other, for every parameter of a path at once.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <thalweg/core/prepare.hpp>
#include <thalweg/core/stage.hpp>
#include <thalweg/cuda/device_form.hpp>
#include <thalweg/cuda/lane.hpp>
#include <thalweg/cuda/launch.hpp>
#include <thalweg/cuda/packet.hpp>

namespace thalweg::cuda::detail {

using namespace thalweg::detail;

/// One parameter, as the device knows it.
template <class T, std::size_t Arrays>
struct member {
  T* data;
  T* update;  ///< where the update waits between two stages; null where none does
  std::size_t size;
  std::array<T*, Arrays> states;
};
template <class Plan, class T>
using member_of = member<T, std::max<std::size_t>(1, Plan::array_count)>;

/// A block's share of the work: the elements [number · elements, (number + 1) · elements) of a member.
struct chunk {
  std::uint32_t member, number;
};

constexpr std::size_t chunk_elements = 4096;

/// All chunks of members of these sizes, in their order.
inline std::vector<chunk> chunks_of(std::span<const std::size_t> sizes, std::size_t elements) {
  std::vector<chunk> all;
  for (std::size_t m = 0; m < sizes.size(); ++m)
    for (std::size_t n = 0; n * elements < sizes[m]; ++n)
      all.push_back({static_cast<std::uint32_t>(m), static_cast<std::uint32_t>(n)});
  return all;
}

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

/// Elements [i, i + Width) on their way through a pass. `states`: those of its first kernel and of all behind it.
template <std::size_t Width, traffic Traffic, class T, class... Bound>
constexpr void run_packet(std::size_t i, const T* gradient, T* update, T* parameter, T* const* states,
                          const Bound&... bound) {
  using one = packet<T, Width>;
  using value = number<lane<T>>;
  constexpr std::size_t count = (std::size_t{0} + ... + Bound::count);
  const one g = one::load(gradient + i);
  one p = one::load(parameter + i), u = Traffic.from_gradient ? g : one::load(update + i);
  std::array<one, count> s{};
  for (std::size_t j = 0; j < count; ++j) s[j] = one::load(states[j] + i);
  for (std::size_t w = 0; w < Width; ++w) {
    element<value> e{lane<T>(u.values[w]), lane<T>(g.values[w]), lane<T>(p.values[w])};
    std::array<value, count> own;
    for (std::size_t j = 0; j < count; ++j) own[j] = lane<T>(s[j].values[w]);
    run_kernels<0>(e, own, bound...);
    u.values[w] = e.update.value().value;
    p.values[w] = e.parameter.value().value;
    for (std::size_t j = 0; j < count; ++j) s[j].values[w] = own[j].value().value;
  }
  if constexpr (Traffic.writes_states)
    for (std::size_t j = 0; j < count; ++j) s[j].store(states[j] + i);
  if constexpr (Traffic.writes_parameter) p.store(parameter + i);
  if constexpr (Traffic.writes_update) u.store(update + i);
}

/// A transform that reduces, on its way to the device, where its sums are.
template <std::size_t Arrays, class Transform>
struct awaiting_sums {
  Transform transform;
  context seen;

  constexpr auto at(const double* sums) const {
    constexpr std::size_t count = sums_of<Transform>;
    std::array<double, count> own{};
    for (std::size_t k = 0; k < count; ++k) own[k] = sums[k];
    const auto kernel = at_sums(std::make_index_sequence<count>(), transform, seen, own);
    return bound_kernel<Arrays, std::remove_const_t<decltype(kernel)>>{kernel};
  }
};

template <std::size_t Arrays, class Kernel, bool Gathers>
constexpr const auto& with_sums(const bound_kernel<Arrays, Kernel, Gathers>& bound, const double*) { return bound; }
template <std::size_t Arrays, class Transform>
constexpr auto with_sums(const awaiting_sums<Arrays, Transform>& waiting, const double* sums) {
  return waiting.at(sums);
}

/// A block's chunk of a member, a thread's part of it.
template <class Plan, std::size_t First, traffic Traffic, class T, class Kernels>
struct pass_body {
  const chunk* chunks;
  const member_of<Plan, T>* members;
  const T* const* gradients;  ///< by member
  const double* sums;         ///< for the transform that reduces, if there is one: of member m at sums + m · stride
  std::size_t stride;
  Kernels kernels;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const chunk c = chunks[block];
    const auto m = members[c.member];  // in registers: no store is feared to change it
    const T* const gradient = Plan::gradient_at(First, m, gradients[c.member]);
    T *const update = m.update, *const parameter = m.data;
    T* const* const states = m.states.data() + Plan::sum(Plan::arrays, First);
    const std::size_t begin = std::size_t{c.number} * chunk_elements, end = std::min(m.size, begin + chunk_elements);
    std::apply([&](const auto&... kernel) {
      run(thread, begin, end, gradient, update, parameter, states, with_sums(kernel, sums + c.member * stride)...);
    }, kernels);
  }

private:
  template <class... Bound>
  static constexpr void run(std::size_t thread, std::size_t begin, std::size_t end, const T* gradient, T* update,
                            T* parameter, T* const* states, const Bound&... bound) {
    const bool aligned = is_aligned(gradient) && is_aligned(parameter);
    for_each_packet<T>(thread, begin, end, aligned, [&](auto width, std::size_t i) {
      run_packet<width, Traffic>(i, gradient, update, parameter, states, bound...);
    });
  }
};

/// The kernels of a stage, as they travel.
template <class Plan, std::size_t Stage, class Leaves, class Prepared>
auto travelling(const Leaves& leaves, const Prepared& prepared) {
  return stage_pass<Plan, true, Stage>::kernels_with(prepared, [&](auto position) {
    const context seen = std::get<position>(prepared).seen;
    const auto transform = settled(std::get<Plan::leaf[position]>(leaves), seen);
    return awaiting_sums<Plan::arrays[position], std::remove_const_t<decltype(transform)>>{transform, seen};
  });
}

template <class Leaves, class Plan>
using prepared_of = decltype(prepare<Plan>(std::declval<const Leaves&>(), context(), static_cast<double*>(nullptr)));

/// Names of kernels, free of lambdas.
template <class Leaves, class Plan, std::size_t Stage, class T>
struct stage_tag {
  using pass = stage_pass<Plan, true, Stage>;
  using body = pass_body<Plan, pass::place.begin, pass::moves, T,
                         decltype(travelling<Plan, Stage>(std::declval<const Leaves&>(),
                                                          std::declval<const prepared_of<Leaves, Plan>&>()))>;
};

inline constexpr traffic absorbing_traffic{.from_gradient = true, .writes_update = false, .writes_parameter = false};

template <class Leaves, class Plan, std::size_t Position, class T>
struct absorb_tag {
  using transform = typename Plan::template transform_at<Position>;
  using kernel = bound_kernel<Plan::arrays[Position], decltype(std::declval<const transform&>().absorb(1L))>;
  using body = pass_body<Plan, Position, absorbing_traffic, T, std::tuple<kernel>>;
};

/// x of one parameter, into memory of its own or over y.
template <class T, std::size_t Arrays, class Kernel>
struct average_body {
  T* parameter;
  T* out;
  std::size_t size;
  std::array<T*, Arrays> states;
  Kernel kernel;

  constexpr void operator()(std::size_t block, std::size_t thread) const {
    const std::size_t begin = block * chunk_elements, end = std::min(size, begin + chunk_elements);
    for_each_packet<T>(thread, begin, end, is_aligned(parameter) && is_aligned(out), [&](auto width, std::size_t i) {
      run_packet<width, average_traffic>(i, parameter, out, parameter, states.data(), kernel);
    });
  }
};
template <class Leaves, class Plan, class T>
struct average_tag {
  using kernel = decltype(average_of<Plan>(std::declval<const Leaves&>(),
                                           std::declval<const std::array<double, Plan::scalar_count>&>()));
  using body = average_body<T, kernel::count, kernel>;
};

/// New addresses for the gradients, by value: nothing of the host's is read later, and it may be captured.
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
