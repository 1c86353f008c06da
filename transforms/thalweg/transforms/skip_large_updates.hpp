// skip_large_updates: skips the step if the norm of the gradients is too large.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// If the norm of all gradients together is at most `max_norm`, the step is taken as without this transform. Otherwise,
/// also for NaN, the step is skipped: parameters, state and the count of steps do not change.
///
/// | field    | default  | source                              |
/// |----------|----------|-------------------------------------|
/// | max_norm | required | optax.skip_large_updates            |
///
/// Model-wise. Place it first in the chain. It includes `when_finite`. The report of `step` says whether the step was
/// taken. To limit the number of skipped steps in a row, count them in the training loop.
///
///     auto c = skip_large_updates{.max_norm = 100.0} | scale_by_adam{};
struct skip_large_updates {
  required<double> max_norm;
  static constexpr auto fields = list{field{"max_norm", &skip_large_updates::max_norm, positive}};

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return e.update * e.update; };
  }
  [[nodiscard]] constexpr bool proceeds(double sum) const { return sum <= max_norm * max_norm; }

  constexpr auto at(const context&, double) const noexcept {
    return []<class T>(element<T> e) { return next(e.update); };
  }
};

}  // namespace thalweg
