// when_finite: skips the step if a gradient has NaN or infinity.
#pragma once

#include <optional>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// If every number of every gradient is finite, the step is taken as without this transform. Otherwise the step is
/// skipped: parameters, state and the count of steps do not change, and the report of `step` names the first parameter
/// whose gradient is not finite.
///
/// | field | default | source                                                                                  |
/// |-------|---------|-----------------------------------------------------------------------------------------|
/// | limit | none    | how many steps in a row it may skip; optax.apply_if_finite: max_consecutive_errors       |
///
/// Model-wise. Place it first in the chain. If `limit` steps in a row were skipped and the next one would be too, `step`
/// throws and changes nothing, so a diverged training ends. (optax takes this step, and destroys the parameters.) A step
/// that is taken resets the count. A checkpoint stores the count.
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
