// The library's transforms as parts of programs: each is compiled once, for all texts and recipes.
#pragma once

#include <cstddef>

#include <thalweg/core/program.hpp>

namespace thalweg::passes {

struct lowered_in_library {
  /// Instantiated for all transforms in transforms.cpp.
  template <class T, class Transform>
  static detail::any_transform<T> lower(const Transform& t, std::size_t set);
};

}  // namespace thalweg::passes
