// clip_by_global_norm: no update longer than a bound, over all parameters together.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u·min(1, max_norm/‖u‖), with the norm over every parameter that passes here
///
/// | field    | default | source                          |
/// |----------|---------|---------------------------------|
/// | max_norm | 1       | Pascanu et al., arXiv 1211.5063 |
///
/// Model-wise. In a route's branch the norm is over the parameters of that branch. A NaN anywhere makes every update NaN. An
/// infinity becomes NaN, and all other elements become 0. So no bad number is hidden. In double, a norm beyond
/// 1e154 counts as infinite. Where it stands at the head of a
/// chain, `step` reports the norm before clipping.
///
///     auto c = clip_by_global_norm{.max_norm = 1.0} | scale_by_adam{};
struct clip_by_global_norm {
  double max_norm = 1;
  static constexpr const char* elsewhere[] = {"clip_grad_norm"};
  static constexpr auto fields = list{field{"max_norm", &clip_by_global_norm::max_norm, positive}};

  using reports = gradient_norm;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return e.update * e.update; };
  }

  constexpr auto at(const context&, double sum_of_squares) const noexcept {
    const double norm = sqrt(sum_of_squares);
    return [by = norm <= max_norm ? 1 : max_norm / norm]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};

}  // namespace thalweg
