// orthogonal_to_parameter: removes the component of the update in the direction of the parameter.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// p = u - (⟨θ,u⟩/‖θ‖²)·θ,  update p·‖u‖/‖p‖, with the norms of each parameter
///
/// OrthoGrad (Prieto et al., arXiv 2501.04697). If θ is zero, the update is u. If u has the direction of θ, up to
/// rounding, the update is zero. Parameter-wise.
///
///     auto c = orthogonal_to_parameter{} | scale_by_adam{} | apply_update{};
struct orthogonal_to_parameter {
  static constexpr const char* elsewhere[] = {"orthograd"};

  using over = each_parameter;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) {
      return sums(e.parameter * e.parameter, e.parameter * e.update, e.update * e.update);
    };
  }

  constexpr auto at(const context&, double theta2, double product, double u2) const noexcept {
    const double share = theta2 == 0 ? 0 : product / theta2, rest = u2 - share * product;
    const double by = rest <= 1e-12 * u2 ? 0 : sqrt(u2) / sqrt(rest);  // NaN stays
    return [by, share]<class T>(element<T> e) { return next(T(by) * (e.update - T(share) * e.parameter)); };
  }
};

}  // namespace thalweg
