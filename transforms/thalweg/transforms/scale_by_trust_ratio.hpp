// scale_by_trust_ratio: steps in proportion to the parameter's norm, as in LARS and LAMB.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u·trust·‖θ‖/‖u‖, with the norms of each parameter; if one of them is 0, u does not change
///
/// | field | default | source                                                                    |
/// |-------|---------|---------------------------------------------------------------------------|
/// | trust | 1       | LAMB, You et al., arXiv 1904.00962; LARS, You et al., arXiv 1708.03888, 0.001 |
///
/// Parameter-wise. In LARS and LAMB the decay is a part of u: put `decay_weights` before this transform.
///
///     auto lamb = scale_by_adam{.epsilon = 1e-6} | decay_weights{} | scale_by_trust_ratio{} | apply_update{};
struct scale_by_trust_ratio {
  double trust = 1;
  static constexpr auto fields = list{field{"trust", &scale_by_trust_ratio::trust, positive}};

  using over = each_parameter;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return sums(e.parameter * e.parameter, e.update * e.update); };
  }

  constexpr auto at(const context&, double of_parameter, double of_update) const noexcept {
    const bool still = of_parameter == 0 || of_update == 0;
    return [by = still ? 1 : trust * sqrt(of_parameter) / sqrt(of_update)]<class T>(element<T> e) {
      return next(T(by) * e.update);
    };
  }
};

}  // namespace thalweg
