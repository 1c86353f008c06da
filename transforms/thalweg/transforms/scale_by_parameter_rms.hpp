// scale_by_parameter_rms: scales the update in proportion to the parameter, as Adafactor's relative steps.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u·max(RMS(θ), floor), with each parameter's own RMS(θ) = ‖θ‖/√n
///
/// | field | default | source                                           |
/// |-------|---------|--------------------------------------------------|
/// | floor | 1e-3    | Adafactor, Shazeer & Stern, arXiv 1804.04235: ε₂ |
///
/// Parameter-wise.
///
///     auto c = scale_by_factored_rms{} | clip_by_rms{} | scale_by_parameter_rms{};
struct scale_by_parameter_rms {
  double floor = 1e-3;
  static constexpr auto fields = list{field{"floor", &scale_by_parameter_rms::floor, non_negative}};

  using over = each_parameter;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return sums(e.parameter * e.parameter, T(1)); };
  }

  constexpr auto at(const context&, double sum_of_squares, double count) const noexcept {
    return [by = max(sqrt(sum_of_squares / count), floor)]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};

}  // namespace thalweg
