// scale: the update, times a constant.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update by·u
///
/// | field | default |
/// |-------|---------|
/// | by    | 1       |
///
///     auto ascent = scale{.by = -1} | apply_update{};
struct scale {
  double by = 1;
  static constexpr auto fields = list{field{"by", &scale::by, finite_number}};

  constexpr auto at(const context&) const {
    return [by = by]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};

}  // namespace thalweg
