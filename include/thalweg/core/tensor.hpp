// What a tensor-wise transform sees: views, never copies.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <thalweg/core/parameter.hpp>

namespace thalweg {

/// The elements of a matrix by row and column, for both orders in memory.
template <class T>
struct strided_matrix {
  T* data;
  std::size_t rows, cols, row_stride, col_stride;
  [[nodiscard]] constexpr T& operator()(std::size_t row, std::size_t col) const {
    return data[row * row_stride + col * col_stride];
  }
};

/// One parameter's update, as a tensor-wise transform sees it. N-D filters read as (first, rest) matrices.
template <class T>
struct tensor {
  T* data;
  std::span<const std::size_t> shape;
  storage_order order = storage_order::row_major;
  std::string_view name;  ///< of the parameter
  std::size_t begin = 0;  ///< where in the parameter it begins, if it is a block of it

  [[nodiscard]] constexpr std::size_t rank() const { return shape.size(); }
  [[nodiscard]] constexpr std::size_t size() const { return element_count(shape); }
  [[nodiscard]] constexpr std::size_t rows() const { return shape.empty() ? 1 : shape.front(); }
  [[nodiscard]] constexpr std::size_t cols() const { return element_count(shape.subspan(shape.empty() ? 0 : 1)); }
  [[nodiscard]] constexpr std::span<T> values() const { return {data, size()}; }
  [[nodiscard]] constexpr auto matrix() const {
    const bool by_rows = order == storage_order::row_major;
    return strided_matrix<T>{data, rows(), cols(), by_rows ? cols() : 1, by_rows ? 1 : rows()};
  }
};

/// All that a tensor-wise transform may see of one parameter, as a kernel sees an `element`.
template <class T>
struct whole {
  tensor<T> update;            ///< to be changed in place
  tensor<const T> gradient;    ///< as the user gave it; behind `accumulate` their mean
  tensor<const T> parameter;   ///< as the user holds it
};

}  // namespace thalweg
