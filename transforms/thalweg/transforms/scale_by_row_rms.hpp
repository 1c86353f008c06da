// scale_by_row_rms: NorMuon's running second moment, one for each row.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// v_i ← β₂·v_i + (1-β₂)·mean_j(u_ij²),  update u_ij / (√v_i + ε)
///
/// | field   | default | source                                      |
/// |---------|---------|---------------------------------------------|
/// | beta2   | 0.95    | NorMuon, Li et al., arXiv 2510.05491        |
/// | epsilon | 1e-8    | the same                                    |
///
/// Tensor-wise; a row is a neuron. At the first step the update is 1/√(1-β₂) times too long. A `scale_to_rms` after
/// this transform corrects that, as in the paper. State: `second_moment`, from zero, one number per row.
///
///     auto normuon = nesterov_ema{} | orthogonalize_update{.scale = none{}} | scale_by_row_rms{} | scale_to_rms{};
struct scale_by_row_rms {
  double beta2 = 0.95;
  double epsilon = 1e-8;
  static constexpr auto fields = list{field{"beta2", &scale_by_row_rms::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_row_rms::epsilon, root_epsilon}};

  using states = state<rows<"second_moment">>;

  void check(const parameter_info& p) const { check_is_no_stack("scale_by_row_rms", p); }
  template <class T>
  void apply(const context&, tensor<T> update, tensor<T> second) const noexcept {
    const auto u = update.matrix();
    for (std::size_t i = 0; i < u.rows; ++i) {
      double sum = 0;
      for (std::size_t j = 0; j < u.cols; ++j) {
        u(i, j) = squarable(u(i, j));
        sum += static_cast<double>(u(i, j)) * u(i, j);
      }
      second.data[i] = saturated<T>(lerp(sum / static_cast<double>(u.cols), second.data[i], beta2));
      const T by = saturated<T>(1 / (sqrt(static_cast<double>(second.data[i])) + epsilon));
      for (std::size_t j = 0; j < u.cols; ++j) u(i, j) *= by;
    }
  }
};

}  // namespace thalweg
