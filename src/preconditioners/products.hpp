// Products of Eigen's matrices by the library's linear algebra, which is faster and cheaper to compile than Eigen's.
#pragma once

#include <cstddef>
#include <type_traits>

#include <thalweg/core/linear_algebra.hpp>

#include "../linear_algebra/request.hpp"
#include "matrix.hpp"

namespace thalweg::detail {

template <class T>
using transposed = Eigen::Transpose<matrix<T>>;

/// A factor of a product, as it lies in memory.
template <class T>
struct stored_factor {
  T* data;
  std::size_t rows, cols;  ///< in memory
  bool is_transposed;

  stored_factor(matrix<T> m, bool as_transposed)
      : data(m.data()), rows(static_cast<std::size_t>(m.rows())), cols(static_cast<std::size_t>(m.cols())),
        is_transposed(as_transposed) {}
  stored_factor(matrix<T> m) : stored_factor(m, false) {}
  stored_factor(const transposed<T>& m) : stored_factor(m.nestedExpression(), true) {}

  [[nodiscard]] stored_factor transpose() const {
    stored_factor t = *this;
    t.is_transposed = !is_transposed;
    return t;
  }
};

/// out = keep · out + add · a · b. `out` shares no memory with a and b. Of a matrix times its own transposed matrix, half is
/// computed and mirrored.
template <class T>
void average_product(std::type_identity_t<stored_factor<T>> a, std::type_identity_t<stored_factor<T>> b, matrix<T> out, T keep,
                     T add) {
  linear_algebra::multiply(linear_algebra::request<T>{
      .alpha = add, .a = a.data, .b = b.data, .rows = static_cast<std::size_t>(out.rows()),
      .inner = a.is_transposed ? a.rows : a.cols, .cols = static_cast<std::size_t>(out.cols()), .a_by_columns = a.is_transposed,
      .b_by_columns = b.is_transposed, .lower = a.data == b.data && a.is_transposed != b.is_transposed, .beta = keep,
      .c = keep == 0 ? nullptr : out.data(), .gamma = 0, .d = nullptr, .out = out.data()});
}

/// out = a · b
template <class T>
void multiply(std::type_identity_t<stored_factor<T>> a, std::type_identity_t<stored_factor<T>> b, matrix<T> out) {
  average_product<T>(a, b, out, 0, 1);
}

/// out += a · b
template <class T>
void add_product(std::type_identity_t<stored_factor<T>> a, std::type_identity_t<stored_factor<T>> b, matrix<T> out) {
  average_product<T>(a, b, out, 1, 1);
}

}  // namespace thalweg::detail
