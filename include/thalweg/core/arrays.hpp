// The memory that a pass works on.
#pragma once

#include <cstddef>

namespace thalweg::detail {

/// A sum over elements has this number of partial sums, which are added up at the end.
inline constexpr std::size_t sum_lanes = 8;

/// The measured norms of the elements that a pass writes.
struct measured_sums {
  double gradient = 0, update = 0, parameter = 0;  ///< sums of squares
  double largest_gradient = 0;

  void add(const measured_sums& more) {
    gradient += more.gradient;
    update += more.update;
    parameter += more.parameter;
    const bool keeps = largest_gradient >= more.largest_gradient || largest_gradient != largest_gradient;  // a NaN stays
    if (!keeps) largest_gradient = more.largest_gradient;
  }
};

/// For a pass that writes the parameter and measures it: the old parameter, and sums in registers of T.
template <class T>
struct measurement {
  T* before;
  measured_sums sums;
};

/// The arrays of one parameter for a pass: the elements [begin, begin + n) of gradient, parameter and states. The pass
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
  measurement<T>* measured = nullptr;
};

}  // namespace thalweg::detail
