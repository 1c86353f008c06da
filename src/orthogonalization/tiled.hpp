// Newton–Schulz on blocks of bfloat16: factors of one part (rounded) or of two (float32's upper 16 bits).
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>

#include "../linear_algebra/bfloat16.hpp"

namespace thalweg::detail {

namespace bfloat16 = linear_algebra::bfloat16;

class tiled {
  static constexpr std::size_t line = 64;

  bfloat16::arithmetic how_;
  bfloat16::place data_;
  bfloat16::blocks x_;
  std::byte* squares_;
  double sum_of_squares_ = 0;  // of x

public:
  using square = bfloat16::blocks;

  static std::size_t scratch(bfloat16::form f, std::size_t rows, std::size_t cols, std::size_t squares) {
    return (line + bfloat16::bytes(f, rows, cols) + squares * bfloat16::bytes(f, rows, rows) +
            bfloat16::workspace_bytes(f, rows, cols)) / sizeof(float);
  }

  tiled(bfloat16::form f, float* data, bool transposed, std::size_t rows, std::size_t cols, std::size_t squares,
        float* scratch)
      : how_{bfloat16::available(), f, nullptr}, data_{data, transposed}, x_{nullptr, rows, cols} {
    const auto address = reinterpret_cast<std::uintptr_t>(scratch);
    auto* const first = reinterpret_cast<std::byte*>(scratch) + (line - address % line) % line;
    x_.data = reinterpret_cast<bfloat16::bits*>(first);
    squares_ = first + bfloat16::bytes(f, rows, cols);
    how_.workspace = squares_ + squares * bfloat16::bytes(f, rows, rows);
  }

  square matrix(std::size_t i) {
    const std::size_t n = x_.rows;
    return {reinterpret_cast<bfloat16::bits*>(squares_ + i * bfloat16::bytes(how_.form, n, n)), n, n};
  }

  double norm() const { return std::sqrt(bfloat16::sum_of_squares(data_.data, x_.rows * x_.cols)); }

  void load(double root) {
    bfloat16::load(how_, data_, static_cast<float>(root), x_);
    sum_of_squares_ = 1;  // as near as the mean of a diagonal needs it
  }

  double gram(square out) { return bfloat16::gram(how_, x_, sum_of_squares_, out); }

  double symmetric_product(double alpha, square a, square b, double beta, square c, double gamma, square d, square out) {
    return bfloat16::symmetric_product(how_, static_cast<float>(alpha), a, b, static_cast<float>(beta), c,
                                       static_cast<float>(gamma), d, out);
  }

  double root_of_norm(square, double) const { return 1; }  // not chosen where it is wanted

  void apply(square q, double shift) { sum_of_squares_ = bfloat16::apply(how_, q, static_cast<float>(shift), x_); }

  void finish(square q, double shift, double factor) {
    bfloat16::finish(how_, q, static_cast<float>(shift), static_cast<float>(factor), x_, data_);
  }

  void rescale_rows(square gram, double shift, double epsilon) {
    sum_of_squares_ = bfloat16::rescale_rows(how_, gram, static_cast<float>(shift), epsilon, x_);
  }
};

}  // namespace thalweg::detail
