// A block of device memory that is divided into arrays.
#pragma once

#include <cstddef>

namespace thalweg::cuda::detail {

/// Divides `memory` into arrays, each at a multiple of 256 bytes; without memory it only counts.
class arena {
  std::byte* memory_ = nullptr;
  std::size_t used_ = 0;

public:
  arena() = default;
  explicit arena(std::byte* memory) : memory_(memory) {}

  template <class T>
  T* take(std::size_t n) {
    constexpr std::size_t alignment = 256;
    T* const out = memory_ ? reinterpret_cast<T*>(memory_ + used_) : nullptr;
    used_ += (n * sizeof(T) + alignment - 1) / alignment * alignment;
    return out;
  }
  [[nodiscard]] std::size_t used() const { return used_; }
};

}  // namespace thalweg::cuda::detail
