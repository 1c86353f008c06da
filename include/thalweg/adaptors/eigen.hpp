// Eigen: matrices and vectors as parameters, and tensors as matrices in tensor-wise functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <Eigen/Core>

#include <thalweg/core/tensor.hpp>

namespace thalweg {

/// What `as_matrix` returns: rows × cols over the tensor's own memory, in either order.
template <class T>
using tensor_matrix = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, Eigen::Unaligned,
                                 Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;

/// A tensor that Eigen reads and writes in place. Filters are (first, rest) matrices; a vector is one column, a scalar
/// is 1 × 1.
///
///     auto center = tensorwise("center_rows", [](tensor<float> u) {
///       as_matrix(u).colwise() -= as_matrix(u).rowwise().mean().eval();
///       return u;
///     });
template <class T>
tensor_matrix<T> as_matrix(tensor<T> t) {
  const auto rows = static_cast<Eigen::Index>(t.rows()), cols = static_cast<Eigen::Index>(t.cols());
  using stride = Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>;  // (from row to row, from column to column)
  return {t.data, rows, cols, t.order == storage_order::row_major ? stride(cols, 1) : stride(1, rows)};
}

/// A matrix, array or vector as a parameter. It is a view: do not move or resize `m`.
///
///     Eigen::MatrixXf w = Eigen::MatrixXf::Random(128, 784);
///     Eigen::VectorXf b = Eigen::VectorXf::Zero(128);
///     auto opt = optimizer(recipes::muon(), std::vector{as_parameter("w", w, role::hidden), as_parameter("b", b)},
///                          {.lr = 0.02});
///
/// A vector type has rank 1, all others rank 2. The storage order is that of the type (Eigen's default: by columns).
template <class Derived>
auto as_parameter(std::string name, Eigen::PlainObjectBase<Derived>& m, role r = role::unspecified) {
  const auto rows = static_cast<std::size_t>(m.rows()), cols = static_cast<std::size_t>(m.cols());
  parameter<typename Derived::Scalar> p{.name = std::move(name), .shape = {rows, cols}, .role = r, .data = m.data()};
  if constexpr (Derived::IsVectorAtCompileTime) p.shape = {rows * cols};
  else if constexpr (!Derived::IsRowMajor) p.order = storage_order::column_major;
  return p;
}

/// A matrix, array or vector as a gradient. It must have the storage order of its parameter.
///
///     opt.step({as_gradient(dw), as_gradient(db)});
template <class Derived>
std::span<const typename Derived::Scalar> as_gradient(const Eigen::PlainObjectBase<Derived>& m) {
  return {m.data(), static_cast<std::size_t>(m.size())};
}

}  // namespace thalweg
