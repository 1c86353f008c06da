// The memory that a step works in, allocated once.
#pragma once

#include <algorithm>
#include <cstddef>
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
  };
  std::vector<worker> workers;
  std::vector<T*> waiting;  ///< by parameter: an update that waits for all others at a model-wise barrier, else null
  std::size_t elements = 0;

  workspace() = default;
  /// `own`: how many elements wait, by parameter; `update`, `scratch`: how many each worker has for one parameter.
  workspace(const std::vector<std::size_t>& own, std::size_t update, std::size_t scratch, std::size_t count) {
    for (const std::size_t n : own) elements += n;
    elements += count * (update + scratch);
    memory_ = allocate<T>(elements);
    T* free = memory_.get();
    const auto take = [&](std::size_t n) { return std::exchange(free, free + n); };
    for (std::size_t w = 0; w < count; ++w) {
      T* const of_update = take(update);
      workers.push_back({of_update, {take(scratch), scratch}});
    }
    for (const std::size_t n : own) waiting.push_back(n ? take(n) : nullptr);
  }

private:
  aligned_array<T> memory_;
};

/// How many workers there is work for.
inline std::size_t worker_count(const parallel_for& parallel, std::size_t most_tasks) {
  return parallel.run ? std::clamp<std::size_t>(parallel.workers, 1, std::max<std::size_t>(1, most_tasks)) : 1;
}

/// Runs `f`; where it throws, parameters and state are put back. `copy`: room for them, or empty where it cannot.
template <class T, class F>
void or_put_back(storage<T>& store, std::vector<T>& copy, F f) {
  if (copy.empty()) return f();
  T* to = std::copy_n(store.states.get(), store.state_elements, copy.data());
  for (const auto& p : store.parameters) to = std::copy_n(p.data, p.size, to);
  try {
    f();
  } catch (...) {
    const T* saved = copy.data();
    std::copy_n(saved, store.state_elements, store.states.get());
    saved += store.state_elements;
    for (const auto& p : store.parameters) std::copy_n(saved, p.size, p.data), saved += p.size;
    throw;
  }
}

template <class T>
std::size_t size_to_put_back(const storage<T>& store) {
  std::size_t size = store.state_elements;
  for (const auto& p : store.parameters) size += p.size;
  return size;
}

}  // namespace thalweg::detail
