// add_noise: Gaussian noise that fades, the same for the same seed.
#pragma once

#include <cstdint>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u + σ_t·ξ with σ_t² = variance/(1+t)^fading and ξ from the standard normal distribution
///
/// | field    | default | source                                               |
/// |----------|---------|------------------------------------------------------|
/// | variance | 0.01    | Neelakantan et al., arXiv 1511.06807: 0.01, 0.3 or 1 |
/// | fading   | 0.55    | the same                                             |
/// | seed     | 0       |                                                      |
///
/// Tensor-wise. ξ is a function of the seed, the step, the parameter's name and the place in it alone: threads, the
/// other parameters and what came before change nothing. Two in one chain need two seeds.
///
///     auto c = add_noise{.variance = 0.3, .seed = 7} | scale_by_adam{};
struct add_noise {
  double variance = 0.01;
  double fading = 0.55;
  long seed = 0;
  static constexpr auto fields = std::tuple{field{"variance", &add_noise::variance, non_negative},
                                            field{"fading", &add_noise::fading, non_negative},
                                            field{"seed", &add_noise::seed, from(0)}};

  template <class T>
  void apply(const context& c, tensor<T> u) const noexcept {
    std::uint64_t stream = mixed(static_cast<std::uint64_t>(seed), static_cast<std::uint64_t>(c.step));
    for (const char letter : u.name) stream = mixed(stream, static_cast<unsigned char>(letter));
    const double deviation = sqrt(variance / pow(1 + static_cast<double>(c.step), fading));
    for (std::size_t i = 0; i < u.size(); ++i) u.data[i] += static_cast<T>(deviation * normal(stream, u.begin + i));
  }

  /// Number i of a stream, by Box and Muller's transform.
  static double normal(std::uint64_t stream, std::uint64_t i) {
    const auto uniform = [](std::uint64_t bits) { return (static_cast<double>(bits >> 11) + 0.5) * 0x1p-53; };
    const double radius = std::sqrt(-2 * std::log(uniform(mixed(stream, 2 * i))));
    return radius * std::cos(2 * std::numbers::pi * uniform(mixed(stream, 2 * i + 1)));
  }

private:
  // A counter on a stream, scrambled (the finaliser of SplitMix64, Steele et al. 2014).
  static constexpr std::uint64_t mixed(std::uint64_t stream, std::uint64_t counter) {
    std::uint64_t x = stream + (counter + 1) * 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
  }
};

}  // namespace thalweg
