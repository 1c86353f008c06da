// clip_by_global_norm: limits the norm of the update over all parameters together.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u·min(1, max_norm/‖u‖), with the norm over every parameter that passes here
///
/// | field    | default | source                          |
/// |----------|---------|---------------------------------|
/// | max_norm | 1       | Pascanu et al., arXiv 1211.5063 |
///
/// Model-wise. In a branch of a route the norm is over the parameters of that branch. One NaN makes every update NaN.
/// An infinity becomes NaN, and all other elements become 0. So clipping does not hide bad numbers. In double, a norm
/// above 1e154 counts as infinite. At the head of a chain, `step` also reports the norm before clipping, as
/// `gradient_norm`.
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
