// The memory that a step works in, allocated once.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <span>
#include <utility>
#include <vector>

#include <thalweg/core/threads.hpp>
#include <thalweg/core/storage.hpp>

namespace thalweg::detail {

template <class T>
struct workspace {
  struct worker {
    T* update;             ///< where an update crosses its barriers
    std::span<T> scratch;  ///< of tensor-wise transforms
    T* tiles;              ///< copies in numbers of T
    T** states_in_tiles;
    T* whole;  ///< a parameter and a gradient in numbers of T
  };
  std::vector<worker> workers;
  std::vector<T*> waiting;  ///< by parameter: an update that waits for all others at a model-wise barrier, else null
  std::size_t elements = 0;

  workspace() = default;
  /// How many elements each worker has for one parameter.
  struct room {
    std::size_t update = 0, scratch = 0, tiles = 0, whole = 0;
    std::size_t states = 0;  ///< pointers
  };
  /// `own`: how many elements wait, by parameter.
  workspace(const std::vector<std::size_t>& own, const room& of_each, std::size_t count) {
    for (const std::size_t n : own) elements += n;
    elements += count * (of_each.update + of_each.scratch + of_each.tiles + of_each.whole);
    pointers_.resize(count * of_each.states);
    memory_ = allocate<T>(elements);
    T* free = memory_.get();
    const auto take = [&](std::size_t n) { return std::exchange(free, free + n); };
    for (std::size_t w = 0; w < count; ++w) {
      worker& one = workers.emplace_back();
      one.update = take(of_each.update);
      one.scratch = {take(of_each.scratch), of_each.scratch};
      one.tiles = take(of_each.tiles);
      one.states_in_tiles = pointers_.data() + w * of_each.states;
      one.whole = take(of_each.whole);
    }
    for (const std::size_t n : own) waiting.push_back(n ? take(n) : nullptr);
  }

private:
  aligned_array<T> memory_;
  std::vector<T*> pointers_;
};

/// The number of workers that can be busy.
inline std::size_t worker_count(const parallel_for& parallel, std::size_t most_tasks) {
  return parallel.run ? std::clamp<std::size_t>(parallel.workers, 1, std::max<std::size_t>(1, most_tasks)) : 1;
}

/// Runs `f`. If it throws, restores parameters and states. `copy`: memory for them, or empty if `f` cannot throw.
template <class T, class F>
void or_put_back(storage<T>& store, std::vector<std::byte>& copy, F f) {
  if (copy.empty()) return f();
  const auto for_each_array = [&](auto on) {
    std::byte* place = copy.data();
    const auto next = [&](void* memory, std::size_t bytes) { on(memory, std::exchange(place, place + bytes), bytes); };
    next(store.states.get(), store.state_bytes);
    for (const auto& p : store.parameters) next(p.values.data, p.bytes());
  };
  for_each_array([](const void* memory, std::byte* saved, std::size_t bytes) { std::memcpy(saved, memory, bytes); });
  try {
    f();
  } catch (...) {
    for_each_array([](void* memory, const std::byte* saved, std::size_t bytes) { std::memcpy(memory, saved, bytes); });
    throw;
  }
}

template <class T>
std::size_t size_to_put_back(const storage<T>& store) {
  std::size_t size = store.state_bytes;
  for (const auto& p : store.parameters) size += p.bytes();
  return size;
}

}  // namespace thalweg::detail
