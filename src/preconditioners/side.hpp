// One side of a matrix: its preconditioner and the eigenbasis of that.
#pragma once

#include <algorithm>
#include <limits>
#include <numeric>
#include <vector>

#include "decompositions.hpp"
#include "matrix.hpp"

namespace thalweg::detail {

/// Decompositions are computed in double.
template <class T>
struct side {
  matrix<T> preconditioner, basis;

  /// Eigenvectors, those of the largest eigenvalues first.
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

}  // namespace thalweg::detail
