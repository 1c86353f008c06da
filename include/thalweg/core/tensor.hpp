// What the user brings (parameters) and what a tensor-wise transform sees (a tensor): views, never copies.
#pragma once

#include <cstddef>
#include <functional>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <thalweg/core/error.hpp>

namespace thalweg {

/// What a shape cannot tell: embeddings and the head are matrices that Muon should leave alone.
enum class role { hidden, embedding, head };

/// How a matrix lies in memory. C arrays, xtensor and PyTorch are row-major, Eigen's matrices column-major.
enum class storage_order { row_major, column_major };

constexpr std::string_view to_text(role r) {
  return r == role::hidden ? "hidden" : r == role::embedding ? "embedding" : "head";
}

constexpr std::size_t element_count(std::span<const std::size_t> shape) {
  return std::accumulate(shape.begin(), shape.end(), std::size_t{1}, std::multiplies<>());
}

/// A view of memory that the user owns and that stays where it is while the optimizer lives.
///
///     parameter<float> w{.name = "w", .shape = {128, 784}, .data = weights.data()};
///     parameter<float> e{.name = "embedding", .shape = {50257, 768}, .role = role::embedding, .data = table};
template <class T>
struct parameter {
  std::string name{};
  std::vector<std::size_t> shape{};
  thalweg::role role = role::hidden;
  T* data = nullptr;
  storage_order order = storage_order::row_major;
};

/// A span or vector as a parameter; without a shape it is a vector. Throws where the values do not fill the shape.
///
///     std::vector<float> w(128 * 784), b(128);
///     auto opt = optimizer(recipes::muon(), std::vector{as_parameter("w", w, {128, 784}), as_parameter("b", b)}, {.lr = 0.02});
template <class T>
parameter<T> as_parameter(std::string name, std::span<T> values, std::vector<std::size_t> shape, role r = role::hidden) {
  if (element_count(shape) != values.size())
    throw error("as_parameter", "Expected the ", element_count(shape), " elements of shape ", shape, " for '", name,
                "'. Received ", values.size(), ".");
  return {std::move(name), std::move(shape), r, values.data()};
}
template <class T>
parameter<T> as_parameter(std::string name, std::vector<T>& values, std::vector<std::size_t> shape,
                          role r = role::hidden) {
  return as_parameter(std::move(name), std::span<T>(values), std::move(shape), r);
}
template <class T>
parameter<T> as_parameter(std::string name, std::span<T> values, role r = role::hidden) {
  return as_parameter(std::move(name), values, {values.size()}, r);
}
template <class T>
parameter<T> as_parameter(std::string name, std::vector<T>& values, role r = role::hidden) {
  return as_parameter(std::move(name), std::span<T>(values), r);
}

/// What routes and checks see of a parameter: everything but its memory.
struct parameter_info {
  std::string name{};
  std::vector<std::size_t> shape{};
  thalweg::role role = role::hidden;
  storage_order order = storage_order::row_major;

  [[nodiscard]] std::size_t size() const { return element_count(shape); }
  [[nodiscard]] std::size_t rows() const { return shape.empty() ? 1 : shape.front(); }
  [[nodiscard]] std::size_t cols() const { return size() / rows(); }
};

/// Refuses what has no rows and columns, for the transform `where`.
inline void check_has_sides(std::string_view where, const parameter_info& p) {
  if (p.shape.size() < 2)
    throw error(where, "Expected rank >= 2. Received '", p.name, "' with shape ", p.shape,
                ". Route it elsewhere: route(when(hidden_matrix, ...), otherwise(...)).");
}

/// The elements of a matrix by row and column, in whichever order they lie in memory.
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

/// All that is known of one parameter in mid-chain: what an `element` is to a kernel.
template <class T>
struct whole {
  tensor<T> update;            ///< to be changed in place
  tensor<const T> gradient;    ///< as the user gave it; behind `accumulate` their mean
  tensor<const T> parameter;   ///< as the user holds it
};

}  // namespace thalweg
