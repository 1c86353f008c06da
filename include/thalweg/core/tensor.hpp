// The arguments of a tensor-wise transform: views, not copies.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include <thalweg/core/parameter.hpp>

namespace thalweg {

/// Access to a matrix by row and column, for row-major and column-major arrays.
template <class T>
struct strided_matrix {
  T* data;
  std::size_t rows, cols, row_stride, col_stride;
  [[nodiscard]] constexpr T& operator()(std::size_t row, std::size_t col) const {
    return data[row * row_stride + col * col_stride];
  }
};

/// The update of one parameter. Filters of more than two dimensions are (first, rest) matrices.
template <class T>
struct tensor {
  T* data;
  std::span<const std::size_t> shape;
  storage_order order = storage_order::row_major;
  std::string_view name;  ///< of the parameter
  std::size_t begin = 0;  ///< index of its first element in the parameter, if it is a block

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

/// Update, gradient and parameter for a tensor-wise transform, as `element` for a kernel.
template <class T>
struct whole {
  tensor<T> update;            ///< change it in place
  tensor<const T> gradient;    ///< the user's gradient; after `accumulate` the mean
  tensor<const T> parameter;   ///< the user's parameter
};

}  // namespace thalweg
