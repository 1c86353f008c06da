// The register of a device's thread: one number. `number<lane<float>>` is to a GPU what `number<xsimd::batch<float>>`
// is to a processor.
#pragma once

#include <cmath>

#include <thalweg/core/number.hpp>

namespace thalweg::cuda {

template <class T>
struct lane {
  using value_type = T;
  T value{};

  constexpr lane() = default;
  constexpr lane(T v) : value(v) {}

  friend constexpr lane operator+(lane a, lane b) { return a.value + b.value; }
  friend constexpr lane operator-(lane a, lane b) { return a.value - b.value; }
  friend constexpr lane operator*(lane a, lane b) { return a.value * b.value; }
  friend constexpr lane operator/(lane a, lane b) { return a.value / b.value; }
  friend constexpr lane operator-(lane a) { return -a.value; }

  friend constexpr bool operator<(lane a, lane b) { return a.value < b.value; }
  friend constexpr bool operator>(lane a, lane b) { return a.value > b.value; }
  friend constexpr bool operator<=(lane a, lane b) { return a.value <= b.value; }
  friend constexpr bool operator>=(lane a, lane b) { return a.value >= b.value; }
  friend constexpr bool operator==(lane a, lane b) { return a.value == b.value; }
  friend constexpr bool operator!=(lane a, lane b) { return a.value != b.value; }

  friend constexpr lane select(bool condition, lane a, lane b) { return condition ? a : b; }
  friend constexpr lane abs(lane a) { return thalweg::abs(a.value); }
  friend constexpr lane min(lane a, lane b) { return a.value < b.value ? a : b; }
  friend constexpr lane max(lane a, lane b) { return a.value > b.value ? a : b; }
  friend constexpr lane square_root(lane a) { return std::sqrt(a.value); }  // rounded correctly, on a device as well
};

// Results are not rounded between the kernels of a pass: the compiler may fuse a product in one with a sum in the next.
// A chain on a device is divided into passes in only one way, so the results do not depend on this.
template <class T>
constexpr number<lane<T>> rounded(number<lane<T>> v) { return v; }

}  // namespace thalweg::cuda
