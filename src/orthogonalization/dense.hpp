// Newton–Schulz in the matrix's own arithmetic: float32 or float64, through thalweg::linear_algebra.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <thalweg/core/linear_algebra.hpp>

namespace thalweg::detail {

/// The matrices of one iteration in `scratch`: the wide x in two places that take turns, and square ones.
template <class T>
class dense {
  T *data_, *x_, *next_, *squares_;
  std::size_t rows_, cols_;  // of x
  bool transposed_;

public:
  using square = T*;

  static std::size_t scratch(std::size_t rows, std::size_t cols, std::size_t squares) {
    return rows * cols + squares * rows * rows;
  }

  /// x is rows × cols, rows <= cols, and `data` holds it, `transposed` or not. It will be multiplied `products` times.
  dense(T* data, bool transposed, std::size_t rows, std::size_t cols, std::size_t products, T* scratch)
      : data_(data), x_(transposed || products % 2 ? scratch : data), next_(x_ == data ? scratch : data),
        squares_(scratch + rows * cols), rows_(rows), cols_(cols), transposed_(transposed) {}

  square matrix(std::size_t i) { return squares_ + i * rows_ * rows_; }

  double norm() const {
    double sums[8] = {};
    const std::size_t n = rows_ * cols_;
    for (std::size_t i = 0; i < n; ++i) sums[i % 8] += static_cast<double>(data_[i]) * static_cast<double>(data_[i]);
    double sum = 0;
    for (const double s : sums) sum += s;
    return std::sqrt(sum);
  }

  /// x = root²·data. (The square might not be a normal T.)
  void load(double root) {
    const T f = static_cast<T>(root);
    if (transposed_) transpose(data_, cols_, rows_, x_, f);
    else std::transform(data_, data_ + rows_ * cols_, x_, [=](T x) { return x * f * f; });
  }

  double gram(square out) {
    linear_algebra::gram<T>({x_, rows_, cols_}, {out, rows_, rows_});
    return centre(out);
  }

  /// √‖gram + shift·I‖_F: of x, (Σσ⁴)^¼
  double root_of_norm(square gram, double shift) const {
    double sum = 0;
    for (std::size_t i = 0; i < rows_ * rows_; ++i) {
      const double g = static_cast<double>(gram[i]) + (i % (rows_ + 1) == 0 ? shift : 0);
      sum += g * g;
    }
    return std::sqrt(std::sqrt(sum));
  }

  double symmetric_product(double alpha, square a, square b, double beta, square c, double gamma, square d, square out) {
    if (alpha == 0 && gamma == 0) {  // of a cubic step
      std::transform(c, c + rows_ * rows_, out, [f = static_cast<T>(beta)](T x) { return f * x; });
      return centre(out);
    }
    linear_algebra::symmetric_product<T>(alpha, {a, rows_, rows_}, {b, rows_, rows_}, {beta, c},
                                      {gamma, gamma != 0 ? d : nullptr}, {out, rows_, rows_});
    return centre(out);
  }

  void apply(square q, double shift) {
    multiply(1, q, shift, next_);
    std::swap(x_, next_);
  }

  void finish(square q, double shift, double factor) {
    multiply(factor, q, shift, next_);
    if (!transposed_) return;  // `products` has brought it to `data`
    if (next_ == data_) next_ = std::copy_n(next_, rows_ * cols_, x_) - rows_ * cols_;
    transpose(next_, rows_, cols_, data_, T(1));
  }

  void rescale_rows(square gram, double shift, double epsilon) {
    for (std::size_t i = 0; i < rows_; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < rows_; ++j)
        sum += std::abs(static_cast<double>(gram[i * rows_ + j]) + (i == j ? shift : 0));
      constexpr double greatest = std::numeric_limits<T>::max();
      const T s = static_cast<T>(std::min(greatest, 1 / (std::sqrt(sum) + epsilon)));
      for (std::size_t j = 0; j < cols_; ++j) x_[i * cols_ + j] *= s;
    }
  }

private:
  // Takes the mean off the diagonal.
  double centre(T* s) const {
    double mean = 0;
    for (std::size_t i = 0; i < rows_; ++i) mean += static_cast<double>(s[i * (rows_ + 1)]);
    const T shift = static_cast<T>(mean / static_cast<double>(rows_));
    for (std::size_t i = 0; i < rows_; ++i) s[i * (rows_ + 1)] -= shift;
    return static_cast<double>(shift);
  }

  void multiply(double factor, square q, double shift, T* out) {
    linear_algebra::product<T>(factor, {q, rows_, rows_}, {x_, rows_, cols_}, {factor * shift, x_}, {out, rows_, cols_});
  }

  static void transpose(const T* from, std::size_t rows, std::size_t cols, T* to, T f) {
    constexpr std::size_t block = 16;  // both sides stay in cache
    for (std::size_t i = 0; i < rows; i += block)
      for (std::size_t j = 0; j < cols; j += block)
        for (std::size_t k = i; k < std::min(i + block, rows); ++k)
          for (std::size_t l = j; l < std::min(j + block, cols); ++l) to[l * rows + k] = from[k * cols + l] * f * f;
  }
};

}  // namespace thalweg::detail
