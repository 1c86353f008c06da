// clip_by_rms: limits the root mean square of each parameter's update.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u / max(1, RMS(u)/max_rms), with each parameter's own RMS(u) = ‖u‖/√n
///
/// | field   | default | source                                          |
/// |---------|---------|-------------------------------------------------|
/// | max_rms | 1       | Adafactor, Shazeer & Stern, arXiv 1804.04235: d |
///
/// Parameter-wise.
///
///     auto c = scale_by_factored_rms{} | clip_by_rms{.max_rms = 1.0};
struct clip_by_rms {
  double max_rms = 1;
  static constexpr auto fields = list{field{"max_rms", &clip_by_rms::max_rms, positive}};

  using over = each_parameter;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return sums(e.update * e.update, T(1)); };
  }

  constexpr auto at(const context&, double sum_of_squares, double count) const noexcept {
    const double rms = sqrt(sum_of_squares / count);
    return [by = rms <= max_rms ? 1 : max_rms / rms]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};

}  // namespace thalweg
