// skip_large_updates: skips the step if the norm of the gradients is too large.
#pragma once

#include <optional>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// If the norm of all gradients together is at most `max_norm`, the step is taken as without this transform. Otherwise,
/// also for NaN, the step is skipped: parameters, state and the count of steps do not change.
///
/// | field    | default  | source                              |
/// |----------|----------|-------------------------------------|
/// | max_norm | required | optax.skip_large_updates            |
/// | limit    | none     | how many steps in a row it may skip |
///
/// Model-wise. Place it first in the chain. It includes `when_finite`; `limit` is the same there. In double, a norm above
/// 1e154 counts as infinite.
///
///     auto c = skip_large_updates{.max_norm = 100.0} | scale_by_adam{};
struct skip_large_updates {
  required<double> max_norm;
  std::optional<long> limit{};
  static constexpr auto fields = list{field{"max_norm", &skip_large_updates::max_norm, positive},
                                      field{"limit", &skip_large_updates::limit, from(0)}};

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return e.update * e.update; };
  }
  [[nodiscard]] constexpr bool proceeds(double sum) const { return sqrt(sum) <= max_norm; }

  constexpr auto at(const context&, double) const noexcept {
    return []<class T>(element<T> e) { return next(e.update); };
  }
};

}  // namespace thalweg
