// report_gradient_norm: the length of all gradients together, for the report of a step.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u, unchanged; `step` reports ‖u‖ over all parameters as `gradient_norm`
///
/// Model-wise. It costs a read of the gradients. It stands at the head of its chain, where the updates are the
/// gradients: only schedules, `when_finite` and `accumulate` may stand before it. Elsewhere nothing is reported. Behind
/// `accumulate` it measures the mean of the gradients. A chain that has `clip_by_global_norm` there does not need it,
/// because that reports the norm as well.
///
///     auto opt = optimizer(report_gradient_norm{} | recipes::adamw(), parameters, {.lr = 3e-4});
///     const auto report = opt.step(gradients);
///     std::printf("lr %g, gradient norm %g\n", report.lr, *report.gradient_norm);
struct report_gradient_norm {
  using reports = gradient_norm;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return e.update * e.update; };
  }

  constexpr auto at(const context&, double) const noexcept {
    return []<class T>(element<T> e) { return next(e.update); };
  }
};

}  // namespace thalweg
