// clip_by_value: limits the absolute value of each element of the update.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update min(max(u, -limit), limit); NaN stays NaN
///
/// | field | default  | source                                                     |
/// |-------|----------|------------------------------------------------------------|
/// | limit | required | torch.nn.utils.clip_grad_value_, which has no default too |
///
///     auto c = clip_by_value{.limit = 0.5} | scale_by_adam{};
struct clip_by_value {
  required<double> limit;
  static constexpr const char* elsewhere[] = {"clip_grad_value"};
  static constexpr auto fields = list{field{"limit", &clip_by_value::limit, positive}};

  constexpr auto at(const context&) const {
    return [limit = double(limit)]<class T>(element<T> e) { return next(min(max(e.update, T(-limit)), T(limit))); };
  }
};

}  // namespace thalweg
