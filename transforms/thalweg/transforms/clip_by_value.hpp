// clip_by_value: no element of the update larger than a bound.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update min(max(u, -limit), limit); NaN stays NaN
///
/// | field | default | source                                     |
/// |-------|---------|--------------------------------------------|
/// | limit | 1       | ours; torch.nn.utils.clip_grad_value_ asks |
///
///     auto c = clip_by_value{.limit = 0.5} | scale_by_adam{};
struct clip_by_value {
  double limit = 1;
  static constexpr auto fields = list{field{"limit", &clip_by_value::limit, positive}};

  constexpr auto at(const context&) const {
    return [limit = limit]<class T>(element<T> e) { return next(min(max(e.update, T(-limit)), T(limit))); };
  }
};

}  // namespace thalweg
