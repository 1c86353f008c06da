// Products of Eigen's matrices: costly to compile, so compiled once, for all preconditioners.
#pragma once

#include "matrix.hpp"

namespace thalweg::detail {

template <class T>
using transposed = Eigen::Transpose<matrix<T>>;

/// out = a · b. `out` shares no memory with them.
template <class T>
void multiply(const matrix<T>& a, const matrix<T>& b, matrix<T> out);
template <class T>
void multiply(const transposed<T>& a, const matrix<T>& b, matrix<T> out);
template <class T>
void multiply(const matrix<T>& a, const transposed<T>& b, matrix<T> out);

/// out += a · b
template <class T>
void add_product(const matrix<T>& a, const transposed<T>& b, matrix<T> out);
template <class T>
void add_product(const transposed<T>& a, const matrix<T>& b, matrix<T> out);

/// out = keep · out + add · a · b
template <class T>
void average_product(const matrix<T>& a, const transposed<T>& b, matrix<T> out, T keep, T add);
template <class T>
void average_product(const transposed<T>& a, const matrix<T>& b, matrix<T> out, T keep, T add);

}  // namespace thalweg::detail
