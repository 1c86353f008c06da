// One side of a matrix: its preconditioner and the eigenbasis of that.
#pragma once

#include <algorithm>
#include <cstddef>
#include <limits>
#include <numeric>
#include <vector>

#include "decompositions.hpp"
#include "products.hpp"

namespace thalweg::detail {

/// Decompositions are computed in double. A side without a preconditioner is not there, and rotates nothing.
template <class T>
struct side {
  matrix<T> preconditioner, basis;

  side(T* preconditioner_data, T* basis_data, std::size_t n)
      : preconditioner(map(preconditioner_data, preconditioner_data ? n : 0, n)), basis(map(basis_data, basis_data ? n : 0, n)) {}

  [[nodiscard]] bool is_there() const { return basis.size() > 0; }

  /// to = Qᵀ·from and to = Q·from of the basis Q, for the side of the rows.
  void rotate_rows(matrix<T> from, matrix<T> to) const {
    if (is_there()) multiply(stored_factor<T>(basis).transpose(), from, to);
    else to = from;
  }
  void rotate_rows_back(matrix<T> from, matrix<T> to) const {
    if (is_there()) multiply(basis, from, to);
    else to = from;
  }
  /// to = from·Q and to = from·Qᵀ, for the side of the columns.
  void rotate_columns(matrix<T> from, matrix<T> to) const {
    if (is_there()) multiply(from, basis, to);
    else to = from;
  }
  void rotate_columns_back(matrix<T> from, matrix<T> to) const {
    if (is_there()) multiply(from, stored_factor<T>(basis).transpose(), to);
    else to = from;
  }

  /// Eigenvectors, sorted by falling eigenvalue.
  void begin() {
    if (!preconditioner.allFinite()) return spoil();
    const auto vectors = eigen_decomposition_of(preconditioner.template cast<double>()).vectors;
    basis = vectors.rowwise().reverse().template cast<T>();
  }

  /// `permute(order)` is told where the columns come from.
  template <class Permute>
  void turn(Permute permute) {
    if (!preconditioner.allFinite() || !basis.allFinite()) return spoil();
    const Eigen::MatrixXd of = preconditioner.template cast<double>();
    Eigen::MatrixXd q = basis.template cast<double>();
    const Eigen::VectorXd estimates = quotients_of(of, q);
    std::vector<Eigen::Index> order(static_cast<std::size_t>(estimates.size()));
    std::iota(order.begin(), order.end(), Eigen::Index{0});
    std::ranges::stable_sort(order, [&](auto a, auto b) { return estimates[a] > estimates[b]; });
    permute(order);
    q = q(Eigen::all, order).eval();
    basis = iterated(of, q).template cast<T>();
  }

private:
  void spoil() { basis.setConstant(std::numeric_limits<T>::quiet_NaN()); }
};

/// For binaryExpr: the average of moments, from the average so far and the newest.
template <class T>
auto averaging_by(double beta) {
  return [beta](T average, T newest) { return lerp(newest, average, beta); };
}

}  // namespace thalweg::detail
