// The memory that a pass works on.
#pragma once

#include <cstddef>

namespace thalweg::detail {

/// A sum over elements is kept in so many numbers, which are added up in the end.
inline constexpr std::size_t sum_lanes = 8;

/// What is measured of the elements that a pass writes.
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

/// Where a pass that writes the parameter measures: it keeps the parameter as it was, and adds up in registers of T.
template <class T>
struct measurement {
  T* before;
  measured_sums sums;
};

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
  measurement<T>* measured = nullptr;
};

}  // namespace thalweg::detail
