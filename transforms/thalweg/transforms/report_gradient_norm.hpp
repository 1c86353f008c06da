// report_gradient_norm: reports the norm of all gradients together.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u, unchanged; `step` reports ‖u‖ over all parameters as `gradient_norm`
///
/// Model-wise. It costs one read of the gradients. Place it at the head of the chain, where the updates are the
/// gradients: only schedules, `when_finite` and `accumulate` may come before it. Elsewhere `step` reports no norm.
/// After `accumulate` it measures the mean of the gradients. A chain with `clip_by_global_norm` at its head does not
/// need it, because that reports the norm too.
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
