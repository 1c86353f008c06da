// step_on_sphere: Hyperball for any end, also one with an average.
#pragma once

#include <cstddef>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// z' = R·p/‖p‖  with p = z - lr·R·u/‖u‖ and R = ‖z‖, with the norms of each parameter; update (z - z')/lr
///
/// The end after it then moves its base sequence from z to z': the parameter for `apply_update`, z for
/// `update_by_schedule_free`. So AMUSE can run on the sphere of Hyperball (arXiv 2606.16899); lr is an angle. x and y
/// are slightly inside the sphere. `update_on_sphere` is the same for `apply_update`, without a copy of z.
///
/// Tensor-wise. A transform does not see the z of the end, so this one keeps its own. No transform between it and the
/// end may change the update or lr. A step with weight decay is refused, because the end would leave the sphere. If the
/// parameter, the update or z - lr·R·u/‖u‖ is zero, nothing changes. State: `z`, from the parameter.
///
///     auto c = nesterov_ema{} | orthogonalize_update{} | amuse_beta{} | step_on_sphere{} | update_by_schedule_free{};
struct step_on_sphere {
  using states = state<copy_of_param<"z">>;

  void check(const context& c) const {
    if (c.weight_decay != 0)
      throw error("step_on_sphere", "Expected weight_decay = 0, or decay_weights upstream. Received ", c.weight_decay, ".");
  }

  template <class T>
  void apply(const context& c, tensor<T> update, tensor<T> z) const noexcept {
    double z2 = 0, product = 0, u2 = 0;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double a = static_cast<double>(z.data[i]), b = static_cast<double>(update.data[i]);
      z2 += a * a, product += a * b, u2 += b * b;
    }
    double by = z2 == 0 || u2 == 0 ? 0 : c.lr * sqrt(z2) / sqrt(u2);
    const double p2 = z2 - 2 * by * product + by * by * u2;
    if (p2 <= 0) by = 0;
    const double keep = by == 0 ? 1 : sqrt(z2) / sqrt(p2);  // z' = keep·(z - by·u)
    const double of_z = c.lr == 0 ? 0 : (1 - keep) / c.lr, of_u = c.lr == 0 ? 0 : keep * by / c.lr;
    for (std::size_t i = 0; i < z.size(); ++i) {
      const double u = static_cast<double>(update.data[i]);
      update.data[i] = static_cast<T>(of_z * static_cast<double>(z.data[i]) + of_u * u);
      z.data[i] -= static_cast<T>(c.lr) * update.data[i];
    }
  }
};

}  // namespace thalweg
