// when_finite: skips the step if a gradient has NaN or infinity.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// If every number of every gradient is finite, the step is taken as without this transform. Otherwise the step is
/// skipped: parameters, state and the count of steps do not change, and the report of `step` names the first parameter
/// whose gradient is not finite.
///
/// Model-wise. Place it first in the chain.
///
///     auto opt = optimizer(when_finite{} | scale_by_adam{}, parameters, {.lr = 1e-3});
///     if (const auto report = opt.step(gradients); !report.taken) std::cerr << report.parameter << " is not finite\n";
struct when_finite {
  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return e.update - e.update; };  // 0, or NaN
  }
  [[nodiscard]] constexpr bool proceeds(double sum) const { return sum == 0; }

  constexpr auto at(const context&, double) const noexcept {
    return []<class T>(element<T> e) { return next(e.update); };
  }
};

}  // namespace thalweg
