// Where a device's optimizer keeps its arrays, and their mirror on the host.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/storage.hpp>
#include <thalweg/cuda/device.hpp>

namespace thalweg::cuda::detail {

template <class T>
void check_on_device(std::string_view what, std::string_view parameter, const T* address) {
  const place found = place_of(address);
  if (found != place::device)
    throw error("cuda", "Expected memory of the current device as the ", what, " '", parameter, "'. Received ",
                found == place::host ? "an address of the host's." : "another device's.");
  if (const auto number = reinterpret_cast<std::uintptr_t>(address); number % alignof(T))
    throw error("cuda", "Expected the ", what, " '", parameter, "' at a multiple of ", alignof(T),
                " bytes. Received the address ", number, ".");
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
    this->at_evaluation_point = true;
    try {
      for (std::size_t i = 0; i < this->parameters.size(); ++i)
        if (this->parameters[i].averaged) average_into(i, this->parameters[i].data);
    } catch (...) {
      put_back();
      throw;
    }
  }
  /// Where the device cannot, the parameters count as x, and the next step is refused.
  void put_back() noexcept {
    int current = device;
    static_cast<void>(cudaGetDevice(&current));
    bool done = cudaSetDevice(device) == cudaSuccess;  // the default stream is that of the current one
    for_each_y([&](const auto& p, const T* held) {
      done = done && cudaMemcpyAsync(p.data, held, p.size * sizeof(T), cudaMemcpyDefault, stream) == cudaSuccess;
    });
    done = done && cudaStreamSynchronize(stream) == cudaSuccess;
    static_cast<void>(cudaSetDevice(current));
    if (!done) return static_cast<void>(cudaGetLastError());
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

template <class T>
host_mirror<T> mirror_of(const storage_on_device<T>& from) {
  host_mirror<T> m;
  m.store.parameters = from.parameters;
  m.store.state_elements = from.state_elements;
  m.store.states = thalweg::detail::allocate<T>(from.state_elements);
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
