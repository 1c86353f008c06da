// update_on_sphere: an end that changes the direction of a parameter and keeps its norm, as in Hyperball.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// θ ← R·p/‖p‖  with  p = θ - lr·R·u/‖u‖  and R = ‖θ‖, with the norms of each parameter
///
/// Hyperball (arXiv 2606.16899): lr is an angle. The parameter keeps its initial norm up to rounding: every step
/// measures the norm again. It does not apply weight decay. If the parameter or p is zero, the parameter does not
/// change. Parameter-wise.
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
