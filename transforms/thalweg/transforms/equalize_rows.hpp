// equalize_rows: gives every row of the update the same length.
#pragma once

#include <optional>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update, a row at a time: u_i·‖u‖_F/(√m·‖u_i‖) for m rows; ‖u‖_F does not change, a zero row stays zero
///
/// | field | default | source                                                                                   |
/// |-------|---------|------------------------------------------------------------------------------------------|
/// | rms   | none    | with it u_i·rms·√n/‖u_i‖ for n columns; Scion (arXiv 2502.07529) takes 1 for embeddings   |
///
/// Aurora (arXiv 2606.27715) makes all rows of the update of a tall matrix equally long, because the orthogonal factor
/// may give some neurons almost no update. This transform does so once, after `orthogonalize_update`. Aurora alternates
/// between the two. An embedding that lies as (channels, tokens) in memory is a column-major (tokens, channels), whose rows
/// are the tokens. Tensor-wise.
///
///     auto c = nesterov_ema{} | orthogonalize_update{} | equalize_rows{};
struct equalize_rows {
  std::optional<double> rms{};
  static constexpr auto fields = list{field{"rms", &equalize_rows::rms, positive}};

  void check(const parameter_info& p) const { check_is_no_stack("equalize_rows", p); }
  template <class T>
  void apply(const context&, tensor<T> update) const noexcept {
    const auto u = update.matrix();
    const auto squares = [&](std::size_t i) {
      double sum = 0;
      for (std::size_t j = 0; j < u.cols; ++j) sum += static_cast<double>(u(i, j)) * u(i, j);
      return sum;
    };
    double all = 0;
    for (std::size_t i = 0; i < u.rows && !rms; ++i) all += squares(i);
    const double length = rms ? *rms * sqrt(static_cast<double>(u.cols)) : sqrt(all / static_cast<double>(u.rows));
    for (std::size_t i = 0; i < u.rows; ++i) {
      const double own = sqrt(squares(i));
      const double by = own == 0 ? 0 : length / own;
      for (std::size_t j = 0; j < u.cols; ++j) u(i, j) = saturated<T>(by * static_cast<double>(u(i, j)));
    }
  }
};

}  // namespace thalweg
