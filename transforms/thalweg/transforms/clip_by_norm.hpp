// clip_by_norm: limits the norm of each parameter's update.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u·min(1, max_norm/‖u‖), with the norm of each parameter's own update
///
/// | field    | default | source                                                           |
/// |----------|---------|------------------------------------------------------------------|
/// | max_norm | 1       | MARS, Yuan et al., arXiv 2411.10438                              |
///
/// Parameter-wise. `clip_by_global_norm` takes the norm over all parameters together.
///
///     auto c = mars{} | clip_by_norm{.max_norm = 1.0} | scale_by_adam{};
struct clip_by_norm {
  double max_norm = 1;
  static constexpr auto fields = list{field{"max_norm", &clip_by_norm::max_norm, positive}};

  using over = each_parameter;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return e.update * e.update; };
  }

  constexpr auto at(const context&, double sum_of_squares) const noexcept {
    const double norm = sqrt(sum_of_squares);
    return [by = norm <= max_norm ? 1 : max_norm / norm]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};

}  // namespace thalweg
