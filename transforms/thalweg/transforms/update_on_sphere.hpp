// update_on_sphere: the end of a chain that turns its parameters and keeps their length, as in Hyperball.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// θ ← R·p/‖p‖  with  p = θ - lr·R·u/‖u‖  and R = ‖θ‖, each parameter with its own norms
///
/// Hyperball (arXiv 2606.16899): lr is an angle. The parameter keeps the norm with which training began, up to rounding,
/// because every step measures the norm anew. Weight decay is not applied here. A zero parameter stays as it is. A
/// parameter that the step would lead to zero also stays as it is. Parameter-wise.
///
///     auto c = route(when(hidden_matrix, nesterov_ema{} | orthogonalize_update{} | update_on_sphere{}),
///                    otherwise(scale_by_adam{} | apply_update{}));
struct update_on_sphere {
  using over = each_parameter;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) {
      return sums(e.parameter * e.parameter, e.parameter * e.update, e.update * e.update);
    };
  }

  constexpr auto at(const context& c, double theta2, double product, double u2) const noexcept {
    double by = theta2 == 0 || u2 == 0 ? 0 : c.lr * sqrt(theta2) / sqrt(u2);
    const double p2 = theta2 - 2 * by * product + by * by * u2;
    if (p2 <= 0) by = 0;  // the step leads to the centre, where no direction is left
    const double keep = p2 <= 0 ? 1 : sqrt(theta2) / sqrt(p2);
    return [keep, by = keep * by]<class T>(element<T> e) { return write(T(keep) * e.parameter - T(by) * e.update); };
  }
};

}  // namespace thalweg
