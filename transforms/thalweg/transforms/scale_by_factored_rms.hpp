// scale_by_factored_rms: Adafactor's second moment, one number per row and one per column.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// β_t = 1 - t^(-decay),  r_i ← β_t·r_i + (1-β_t)·mean_j(u_ij² + ε),  c_j ← β_t·c_j + (1-β_t)·mean_i(u_ij² + ε),
/// update u_ij / √(r_i·c_j/mean(r))
///
/// | field   | default | source                                                  |
/// |---------|---------|---------------------------------------------------------|
/// | decay   | 0.8     | Adafactor, Shazeer & Stern, arXiv 1804.04235            |
/// | epsilon | 1e-30   | the same                                                |
///
/// Tensor-wise; filters are (first, rest) matrices. For a vector, r is the whole second moment. State: `rows`,
/// `columns`, from zero: m + n numbers for a matrix of m × n.
///
///     auto c = scale_by_factored_rms{} | clip_by_rms{} | scale_by_parameter_rms{};
struct scale_by_factored_rms {
  double decay = 0.8;
  double epsilon = 1e-30;
  static constexpr auto fields = list{field{"decay", &scale_by_factored_rms::decay, above(0).to(1)},
                                      field{"epsilon", &scale_by_factored_rms::epsilon, square_epsilon}};

  using states = state<rows<"rows">, columns<"columns">>;

  void check(const parameter_info& p) const { check_is_no_stack("scale_by_factored_rms", p); }
  template <class T>
  void apply(const context& c, tensor<T> update, tensor<T> of_rows, tensor<T> of_columns) const noexcept {
    const auto u = update.matrix();
    const double beta = 1 - pow(static_cast<double>(c.step), -decay);
    const std::size_t m = u.rows, n = u.cols;
    for (T& x : update.values()) x = squarable(x);
    const auto square = [&](std::size_t i, std::size_t j) { return static_cast<double>(u(i, j)) * u(i, j) + epsilon; };
    double mean = 0;
    for (std::size_t i = 0; i < m; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < n; ++j) sum += square(i, j);
      of_rows.data[i] = saturated<T>(lerp(sum / static_cast<double>(n), of_rows.data[i], beta));
      mean += of_rows.data[i] / static_cast<double>(m);
    }
    for (std::size_t j = 0; j < n; ++j) {
      double sum = 0;
      for (std::size_t i = 0; i < m; ++i) sum += square(i, j);
      of_columns.data[j] = saturated<T>(lerp(sum / static_cast<double>(m), of_columns.data[j], beta));
    }
    for (std::size_t i = 0; i < m; ++i) {
      const double of_row = sqrt(of_rows.data[i] / mean);
      for (std::size_t j = 0; j < n; ++j)
        u(i, j) = static_cast<T>(u(i, j) / (of_row * sqrt(static_cast<double>(of_columns.data[j]))));
    }
  }
};

}  // namespace thalweg
