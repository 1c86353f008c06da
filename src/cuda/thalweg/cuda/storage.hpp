// Where a device's optimizer keeps its arrays, and their mirror on the host.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/storage.hpp>
#include <thalweg/cuda/device.hpp>

namespace thalweg::cuda::detail {

inline void check_on_device(std::string_view what, std::string_view parameter, const void* address) {
  const place found = place_of(address);
  if (found != place::device)
    throw error("cuda", "Expected memory of the current device as the ", what, " '", parameter, "'. Received ",
                found == place::host ? "an address of the host's." : "another device's.");
}

/// As `storage`; parameters and states are in device memory.
template <class T>
struct storage_on_device : thalweg::detail::storage<T> {
  cudaStream_t stream = nullptr;
  int device = current_device();
  device_array<T> memory;  ///< of the states
  device_array<T> y;       ///< of the averaged parameters, one behind the other, while they hold x

  void check_current() const {
    if (const int current = current_device(); current != device)
      throw error("cuda", "Expected device ", device, " to be current, as when the optimizer was made. Received device ",
                  current, ".");
  }

  template <class AverageInto>
  void hold_back(AverageInto average_into) {
    std::size_t total = 0;
    for (const auto& p : this->parameters) total += p.averaged ? p.size : 0;
    y = device_array<T>(total);
    for_each_y([&](const auto& p, T* held) { copy<T>(p.data, p.size, held, stream); });
    try {
      for (std::size_t i = 0; i < this->parameters.size(); ++i)
        if (this->parameters[i].averaged) average_into(i, this->parameters[i].data);
    } catch (...) {
      put_back();
      throw;
    }
    this->at_evaluation_point = true;
  }
  void put_back() noexcept {  // what fails here, the stream's next work will say
    for_each_y([&](const auto& p, const T* held) {
      static_cast<void>(cudaMemcpyAsync(p.data, held, p.size * sizeof(T), cudaMemcpyDefault, stream));
    });
    static_cast<void>(cudaStreamSynchronize(stream));
    y = {};
    this->at_evaluation_point = false;
  }

  /// f(parameter, its y) for those that are averaged.
  template <class F>
  void for_each_y(F f) const {
    T* held = y.data();
    for (const auto& p : this->parameters)
      if (p.averaged) f(p, std::exchange(held, held + p.size));
  }
};

/// On the host, what a device holds: to be saved, or loaded and adopted.
template <class T>
struct host_mirror {
  thalweg::detail::storage<T> store;
  std::vector<T> parameters;  ///< one behind the other
};

/// Its states are still zero.
template <class T>
host_mirror<T> mirror_of_parameters(const storage_on_device<T>& from) {
  host_mirror<T> m;
  m.store.parameters = from.parameters;
  m.store.state_elements = from.state_elements;
  m.store.states = thalweg::detail::allocate<T>(from.state_elements);
  std::fill_n(m.store.states.get(), from.state_elements, T(0));
  m.store.at_evaluation_point = from.at_evaluation_point;
  std::size_t total = 0;
  for (const auto& p : from.parameters) total += p.size;
  m.parameters.resize(total);
  T* to = m.parameters.data();
  for (auto& p : m.store.parameters) {
    copy<T>(p.data, p.size, to, from.stream);
    p.data = std::exchange(to, to + p.size);
    for (T*& state : p.states) state = m.store.states.get() + (state - from.memory.data());
  }
  synchronize(from.stream);
  return m;
}

template <class T>
host_mirror<T> mirror_of(const storage_on_device<T>& from) {
  auto m = mirror_of_parameters(from);
  copy<T>(from.memory.data(), from.state_elements, m.store.states.get(), from.stream);
  if (from.at_evaluation_point) {
    m.store.held_back.resize(from.parameters.size());
    from.for_each_y([&](const auto& p, const T* held) {
      auto& y = m.store.held_back[static_cast<std::size_t>(&p - from.parameters.data())];
      y.resize(p.size);
      copy<T>(held, p.size, y.data(), from.stream);
    });
  }
  synchronize(from.stream);
  return m;
}

template <class T>
void adopt(const host_mirror<T>& m, storage_on_device<T>& to) {
  copy<T>(m.store.states.get(), to.state_elements, to.memory.data(), to.stream);
  for (std::size_t i = 0; i < to.parameters.size(); ++i)
    copy<T>(m.store.parameters[i].data, to.parameters[i].size, to.parameters[i].data, to.stream);
  synchronize(to.stream);
}

}  // namespace thalweg::cuda::detail
