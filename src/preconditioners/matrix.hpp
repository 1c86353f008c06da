// Arrays as Eigen's matrices, where they lie.
#pragma once

#include <cstddef>

#include <Eigen/Core>

namespace thalweg::detail {

template <class T>
using matrix = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

template <class T>
matrix<T> map(T* data, std::size_t rows, std::size_t cols) {
  return {data, static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols)};
}

}  // namespace thalweg::detail
