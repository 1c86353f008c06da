// The memory that a pass works on.
#pragma once

#include <cstddef>

namespace thalweg::detail {

/// What a pass touches of one parameter: the elements [begin, begin + n) of gradient, parameter and states. The update
/// is read from `before`, which may be the gradient, and written to `update`; both are for these n elements alone.
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
