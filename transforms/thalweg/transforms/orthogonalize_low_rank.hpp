// orthogonalize_low_rank: Dion's step, which orthogonalises the momentum in its strongest directions.
#pragma once

#include <algorithm>
#include <cstddef>
#include <span>
#include <vector>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/white_noise.hpp>
#include <thalweg/orthogonalization/fraction.hpp>
#include <thalweg/orthogonalization/low_rank.hpp>
#include <thalweg/orthogonalization/scale_rule.hpp>

namespace thalweg {

/// M ← M + u,  P = the orthonormal columns of M·Q,  R = Mᵀ·P,  M ← M - (1-keep)·P·Rᵀ,  Q ← R with columns of length 1,
/// update scale·P·Qᵀ
///
/// | field    | default         | source                                                                 |
/// |----------|-----------------|------------------------------------------------------------------------|
/// | fraction | 0.25            | Dion, Ahn et al., arXiv 2504.05295: the rank, of the short side        |
/// | keep     | 0.95            | the same: μ                                                            |
/// | scale    | unit_rms_norm{} | the same; `nuclear_norm` is refused                                    |
/// | epsilon  | 1e-8            | the same, beside the columns' lengths                                  |
/// | seed     | 0               | of the first Q, the same for parameters of one shape                   |
///
/// One step of the power method finds the directions, starting from those of the last step. The rest of the update
/// stays in M (error feedback). M is the momentum; do not add another one. Filters are (first, rest) matrices.
///
/// A column of Q without momentum is replaced by noise, and is then not in the update. Throws at binding if a parameter
/// has fewer than two dimensions. Tensor-wise. State: `momentum`, from zero; `basis`, Qᵀ, from noise at the first step.
///
///     auto dion = orthogonalize_low_rank{.fraction = 0.25} | apply_update{};
struct orthogonalize_low_rank {
  double fraction = 0.25;
  double keep = 0.95;
  scale_rule scale = unit_rms_norm{};
  double epsilon = 1e-8;
  long seed = 0;
  static constexpr const char* elsewhere[] = {"dion"};
  static constexpr auto fields = list{field{"fraction", &orthogonalize_low_rank::fraction, above(0).to(1)},
                                      field{"keep", &orthogonalize_low_rank::keep, from(0).below(1)},
                                      field{"scale", &orthogonalize_low_rank::scale},
                                      field{"epsilon", &orthogonalize_low_rank::epsilon, from(0).below(1)},
                                      field{"seed", &orthogonalize_low_rank::seed, from(0)}};

  [[nodiscard]] std::vector<std::size_t> basis(const parameter_info& p) const { return {rank(p.rows(), p.cols()), p.cols()}; }
  using states = state<zeros<"momentum">, shaped<"basis", &orthogonalize_low_rank::basis>>;

  void check(const parameter_info& p) const {
    check_has_sides("orthogonalize_low_rank", p);
    check_is_of_shape("orthogonalize_low_rank", scale);
  }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const {
    return (p.order == storage_order::row_major ? 0 : 2 * p.size()) + rank(p.rows(), p.cols()) * (p.rows() + p.cols());
  }

  template <class T>
  void apply(const context& c, tensor<T> update, std::span<T> scratch, tensor<T> momentum, tensor<T> q) const noexcept {
    const auto u = update.matrix(), m = momentum.matrix();
    const bool lies_so = update.order == storage_order::row_major;
    const auto copy = [&](const auto& matrix, T* rows, bool back) {
      for (std::size_t i = 0; i < u.rows; ++i)
        for (std::size_t j = 0; j < u.cols; ++j)
          if (back) matrix(i, j) = rows[i * u.cols + j];
          else rows[i * u.cols + j] = matrix(i, j);
    };
    T* const rows_of_m = lies_so ? momentum.data : scratch.data();
    T* const rows_of_u = lies_so ? update.data : rows_of_m + update.size();
    if (!lies_so) copy(m, rows_of_m, false), copy(u, rows_of_u, false);
    T* const free = scratch.data() + (lies_so ? 0 : 2 * update.size());
    const detail::low_rank_step step{keep, epsilon, factor(scale, u.rows, u.cols), c.step == 1,
                                     white_noise(seed, c.step, "")};
    step({rows_of_m, rows_of_u, q.data, free, u.rows, u.cols, rank(u.rows, u.cols)});
    if (!lies_so) copy(m, rows_of_m, true), copy(u, rows_of_u, true);
  }

private:
  [[nodiscard]] std::size_t rank(std::size_t rows, std::size_t cols) const {
    return count_of(fraction, std::min(rows, cols));
  }
};

}  // namespace thalweg
