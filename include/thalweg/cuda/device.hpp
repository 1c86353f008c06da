// A device's memory and the calls of CUDA's runtime: here CUDA's status codes become exceptions.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>

#include <cuda_runtime.h>
#include <thalweg/core/error.hpp>

namespace thalweg::cuda {

/// Throws `[cuda] Expected <what>. Received <CUDA's name of the error> (<its words>).` unless the call succeeded.
///
///     check("a stream that finishes", cudaStreamSynchronize(stream));
inline void check(std::string_view what, cudaError_t status) {
  if (status == cudaSuccess) return;
  const char *const name = cudaGetErrorName(status), *const words = cudaGetErrorString(status);
  static_cast<void>(cudaGetLastError());  // it was told: it is not the next launch's
  throw error("cuda", "Expected ", what, ". Received ", name, " (", words, ").");
}

/// Waits until the stream has finished all its work.
inline void synchronize(cudaStream_t stream) {
  check("a stream that finishes its work", cudaStreamSynchronize(stream));
}

/// Whether the stream is being captured into a graph. (CUDA's default stream is never captured.)
inline bool is_capturing(cudaStream_t stream) {
  if (!stream) return false;
  cudaStreamCaptureStatus status = cudaStreamCaptureStatusNone;
  check("a stream", cudaStreamIsCapturing(stream, &status));
  return status != cudaStreamCaptureStatusNone;
}

namespace detail {
struct device_free {
  void operator()(void* memory) const { static_cast<void>(cudaFree(memory)); }
};
}  // namespace detail

/// n uninitialised numbers in device memory, aligned to 256 bytes; none for n = 0. The host cannot read them. Freeing
/// waits for the device.
template <class T>
class device_array {
  static_assert(std::is_trivially_copyable_v<T>);
  std::unique_ptr<T[], detail::device_free> memory_;
  std::size_t size_ = 0;

public:
  device_array() = default;
  explicit device_array(std::size_t n) : size_(n) {
    if (!n) return;
    void* memory = nullptr;
    check(in_words(n * sizeof(T), " bytes of device memory"), cudaMalloc(&memory, n * sizeof(T)));
    memory_.reset(static_cast<T*>(memory));
  }

  [[nodiscard]] T* data() const noexcept { return memory_.get(); }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] std::span<T> span() const noexcept { return {data(), size_}; }
};

/// Copies n numbers in the stream's order; each side may be on the host or on the device. Keep host memory until the
/// stream is synchronised.
template <class T>
void copy(const T* from, std::size_t n, T* to, cudaStream_t stream) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (n) check("a copy", cudaMemcpyAsync(to, from, n * sizeof(T), cudaMemcpyDefault, stream));
}

/// Sets n numbers to zero in the stream's order.
template <class T>
void zero(T* numbers, std::size_t n, cudaStream_t stream) {
  static_assert(std::is_trivially_copyable_v<T>);
  if (n) check("memory set to zero", cudaMemsetAsync(numbers, 0, n * sizeof(T), stream));
}

/// The number of the current device.
inline int current_device() {
  int device = 0;
  check("a device", cudaGetDevice(&device));
  return device;
}

enum class place { host, device, other_device };

/// Where this memory is, seen from the current device. Managed memory counts as its own.
inline place place_of(const void* address) {
  cudaPointerAttributes found{};
  const cudaError_t status = cudaPointerGetAttributes(&found, address);
  if (status == cudaErrorInvalidValue) {  // what older versions say of the host's
    static_cast<void>(cudaGetLastError());
    return place::host;
  }
  check("an address to look up", status);
  if (found.type == cudaMemoryTypeManaged) return place::device;
  if (found.type != cudaMemoryTypeDevice) return place::host;
  return found.device == current_device() ? place::device : place::other_device;
}

}  // namespace thalweg::cuda
