// scale_lr: multiplies the learning rate by a constant.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← by·lr, for the transforms downstream. In a branch of a route it acts only on the parameters of that branch,
/// also after the route.
///
/// | field | default  |
/// |-------|----------|
/// | by    | required |
///
///     auto c = route(when(hidden_matrix, scale_by_sign{}), otherwise(scale_lr{.by = 0.5} | scale_by_adam{}));
struct scale_lr {
  required<double> by;
  static constexpr auto fields = list{field{"by", &scale_lr::by, non_negative}};

  constexpr context at(context c) const {
    c.lr *= by;
    return c;
  }
};

}  // namespace thalweg
