// Eigen at both ends: matrices and vectors as parameters, and tensors as matrices inside tensor-wise functions.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <utility>

#include <Eigen/Core>

#include <thalweg/core/tensor.hpp>

namespace thalweg {

/// What `as_matrix` returns: rows × cols over the tensor's own memory, whichever way it lies.
template <class T>
using tensor_matrix = Eigen::Map<Eigen::Matrix<T, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>, Eigen::Unaligned,
                                 Eigen::Stride<Eigen::Dynamic, Eigen::Dynamic>>;

/// A tensor, for Eigen to read and write in place. Filters are viewed as (first, rest); a vector is one column, a
/// scalar 1 × 1.
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

/// A matrix, array or vector as a parameter: a view, so `m` must stay where it is, and keep its size.
///
///     Eigen::MatrixXf w = Eigen::MatrixXf::Random(128, 784);
///     Eigen::VectorXf b = Eigen::VectorXf::Zero(128);
///     auto opt = optimizer(recipes::muon(), std::vector{as_parameter("w", w, role::hidden), as_parameter("b", b)},
///                          {.lr = 0.02});
///
/// What is a vector by its type has rank 1, all else rank 2, stored as the type says (Eigen's default: by columns).
template <class Derived>
auto as_parameter(std::string name, Eigen::PlainObjectBase<Derived>& m, role r = role::unspecified) {
  const auto rows = static_cast<std::size_t>(m.rows()), cols = static_cast<std::size_t>(m.cols());
  parameter<typename Derived::Scalar> p{.name = std::move(name), .shape = {rows, cols}, .role = r, .data = m.data()};
  if constexpr (Derived::IsVectorAtCompileTime) p.shape = {rows * cols};
  else if constexpr (!Derived::IsRowMajor) p.order = storage_order::column_major;
  return p;
}

/// A matrix, array or vector as a gradient, in memory's order: it should be stored as its parameter is.
///
///     opt.step({as_gradient(dw), as_gradient(db)});
template <class Derived>
std::span<const typename Derived::Scalar> as_gradient(const Eigen::PlainObjectBase<Derived>& m) {
  return {m.data(), static_cast<std::size_t>(m.size())};
}

}  // namespace thalweg
