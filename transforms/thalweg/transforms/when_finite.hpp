// when_finite: no step on a gradient with NaN or infinity.
#pragma once

#include <optional>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// If every number of every gradient is finite, the step is taken as without this transform. Otherwise no step is taken:
/// parameters, state and the count of steps stay as they were, bit for bit, and the report of `step` names the first
/// parameter whose gradient is not finite.
///
/// | field | default | source                                                                                  |
/// |-------|---------|-----------------------------------------------------------------------------------------|
/// | limit | none    | how many steps in a row it may skip; optax.apply_if_finite: max_consecutive_errors       |
///
/// Model-wise; the first of its chain. With `limit`, `step` throws where one step more would be skipped, and changes nothing: a
/// training that has left the rails ends. (optax takes that step, and spoils the parameters.) A step that is not skipped begins the
/// count anew. The count is part of a checkpoint.
///
///     auto opt = optimizer(when_finite{} | scale_by_adam{}, parameters, {.lr = 1e-3});
///     if (const auto report = opt.step(gradients); !report.taken) std::cerr << report.parameter << " is not finite\n";
struct when_finite {
  std::optional<long> limit{};
  static constexpr auto fields = list{field{"limit", &when_finite::limit, from(0)}};

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return e.update - e.update; };  // 0, or NaN
  }
  [[nodiscard]] constexpr bool proceeds(double sum) const { return sum == 0; }

  constexpr auto at(const context&, double) const noexcept {
    return []<class T>(element<T> e) { return next(e.update); };
  }
};

}  // namespace thalweg
