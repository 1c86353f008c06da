// The memory that a pass works on.
#pragma once

#include <cstddef>

namespace thalweg::detail {

/// What a pass reads and writes of one parameter: the elements [begin, begin + n) of gradient, parameter and states. It
/// reads the update from `before`, which may be the gradient, and writes it to `update`. `before` and `update` have n
/// elements, and begin with the element `begin`.
template <class T>
struct arrays {
  const T* gradient;
  const T* before;
  T* update;
  T* parameter;
  T* const* states;
  std::size_t begin = 0;
};

}  // namespace thalweg::detail
