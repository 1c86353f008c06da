// scale: multiplies the update by a constant.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update by·u
///
/// | field | default  |
/// |-------|----------|
/// | by    | required |
///
///     auto ascent = scale{.by = -1} | apply_update{};
struct scale {
  required<double> by;
  static constexpr auto fields = list{field{"by", &scale::by, finite_number}};

  constexpr auto at(const context&) const {
    return [by = double(by)]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};

}  // namespace thalweg
