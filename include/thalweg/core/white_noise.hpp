// Noise that depends only on the index, not on the order of calls.
#pragma once

#include <cmath>
#include <cstdint>
#include <numbers>
#include <string_view>

#include <thalweg/core/stored.hpp>

namespace thalweg {

/// Independent numbers of the standard normal distribution. Number i depends only on the seed, the step, the
/// parameter's name and i, not on threads or on earlier calls.
///
///     const white_noise xi(seed, c.step, u.name);
///     u.data[i] += xi.normal(i);
class white_noise {
  std::uint64_t stream_;

public:
  constexpr white_noise(long seed, long step, std::string_view name)
      : stream_(detail::scrambled(detail::scrambled(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(step)), name)) {}

  /// By Box and Muller's transform.
  [[nodiscard]] double normal(std::uint64_t i) const {
    const auto uniform = [](std::uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; };
    const double radius = std::sqrt(-2 * std::log(uniform(detail::scrambled(stream_, 2 * i))));
    return radius * std::cos(2 * std::numbers::pi * uniform(detail::scrambled(stream_, 2 * i + 1)));
  }
};

}  // namespace thalweg
