// add_noise: Gaussian noise that fades, the same for the same seed.
#pragma once

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/white_noise.hpp>

namespace thalweg {

/// update u + σ_t·ξ with σ_t² = variance/(1+t)^fading and ξ from the standard normal distribution
///
/// | field    | default | source                                               |
/// |----------|---------|------------------------------------------------------|
/// | variance | 0.01    | Neelakantan et al., arXiv 1511.06807: 0.01, 0.3 or 1 |
/// | fading   | 0.55    | the same                                             |
/// | seed     | 0       |                                                      |
///
/// Tensor-wise. ξ depends only on the seed, the step, the parameter's name and the element's index. It does not depend
/// on threads, on other parameters or on earlier calls. Two `add_noise` in one chain need two seeds.
///
///     auto c = add_noise{.variance = 0.3, .seed = 7} | scale_by_adam{};
struct add_noise {
  double variance = 0.01;
  double fading = 0.55;
  long seed = 0;
  static constexpr auto fields = list{field{"variance", &add_noise::variance, non_negative},
                                      field{"fading", &add_noise::fading, non_negative},
                                      field{"seed", &add_noise::seed, from(0)}};

  template <class T>
  void apply(const context& c, tensor<T> u) const noexcept {
    const white_noise xi(seed, c.step, u.name);
    const double deviation = sqrt(variance / pow(1 + static_cast<double>(c.step), fading));
    for (std::size_t i = 0; i < u.size(); ++i) u.data[i] += saturated<T>(deviation * xi.normal(u.begin + i));
  }
};

}  // namespace thalweg
