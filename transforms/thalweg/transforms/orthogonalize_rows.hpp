// orthogonalize_rows: Dion2's step, which orthogonalises some rows of the momentum in each step.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <string_view>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/linear_algebra.hpp>
#include <thalweg/orthogonalization/fraction.hpp>
#include <thalweg/orthogonalization/newton_schulz.hpp>
#include <thalweg/orthogonalization/scale_rule.hpp>

namespace thalweg {

/// Which rows a step selects.
enum class row_choice {
  largest,  ///< those whose numbers' sizes add up to most
  in_turn   ///< the next ones, from the first again after the last
};

constexpr std::string_view to_text(row_choice c) { return c == row_choice::largest ? "largest" : "in_turn"; }

/// M ← M + u; S = `fraction` of M's rows, or of its columns if these are fewer; update scale·orthogonalised(S) in the
/// place of S, and 0 elsewhere; S ← keep·S in M
///
/// | field        | default         | source                                                             |
/// |--------------|-----------------|--------------------------------------------------------------------|
/// | fraction     | 0.25            | Dion2 (microsoft/dion); rounded up to a whole number of rows        |
/// | keep         | 0.95            | the same: its ef_decay                                             |
/// | choice       | largest         | the same, by the sum of absolute values; of equals the first       |
/// | scale        | unit_rms_norm{} | the same, of the whole matrix's shape; `nuclear_norm` is refused   |
/// | coefficients | polar_express   | the same                                                           |
/// | steps        | 5               | the same                                                           |
/// | epsilon      | 1e-8            | the same                                                           |
/// | precision    | float32         | Dion2 computes in bfloat16                                         |
///
/// The other rows stay in M unchanged, and are selected later (error feedback). M is the momentum; do not add another
/// one. With a quarter of the rows, products with the long side cost a sixteenth, and products of squares a 64th.
/// Filters are (first, rest) matrices.
///
/// Dion3 also normalises the selected rows as NorMuon does, and updates only their second moments. `scale_by_row_rms`
/// after this transform is not the same: it also updates the second moments of the other rows. Throws at binding if a
/// parameter has fewer than two dimensions. Tensor-wise. State: `momentum`, from zero.
///
///     auto dion2 = orthogonalize_rows{.fraction = 0.25} | apply_update{};
struct orthogonalize_rows {
  double fraction = 0.25;
  double keep = 0.95;
  row_choice choice = row_choice::largest;
  scale_rule scale = unit_rms_norm{};
  coefficient_set coefficients = polar_express;
  long steps = 5;
  double epsilon = 1e-8;
  thalweg::precision precision = thalweg::precision::float32;
  static constexpr const char* elsewhere[] = {"dion2"};
  static constexpr auto fields = list{field{"fraction", &orthogonalize_rows::fraction, above(0).to(1)},
                                      field{"keep", &orthogonalize_rows::keep, from(0).below(1)},
                                      field{"choice", &orthogonalize_rows::choice},
                                      field{"scale", &orthogonalize_rows::scale},
                                      field{"coefficients", &orthogonalize_rows::coefficients},
                                      field{"steps", &orthogonalize_rows::steps, from(1).to(100)},
                                      field{"epsilon", &orthogonalize_rows::epsilon, from(0).below(1)},
                                      field{"precision", &orthogonalize_rows::precision}};

  using states = state<zeros<"momentum">>;

  void check(const parameter_info& p) const {
    check_has_sides("orthogonalize_rows", p);
    check_is_of_shape("orthogonalize_rows", scale);
    check_steps("orthogonalize_rows", coefficients, steps);
  }

  [[nodiscard]] std::string computed_by() const { return linear_algebra::backend(); }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const {
    const std::size_t lines = std::min(p.rows(), p.cols()), length = std::max(p.rows(), p.cols()), count = count_of(fraction, lines);
    return 3 * lines + count * length + iteration().scratch(count, length);
  }

  template <class T>
  void apply(const context& c, tensor<T> update, std::span<T> scratch, tensor<T> momentum) const noexcept {
    const auto u = update.matrix(), m = momentum.matrix();
    const bool by_rows = u.rows <= u.cols;
    const std::size_t lines = by_rows ? u.rows : u.cols, length = by_rows ? u.cols : u.rows, count = count_of(fraction, lines);
    const auto at = [by_rows](const auto& matrix, std::size_t line, std::size_t i) -> T& {
      return by_rows ? matrix(line, i) : matrix(i, line);
    };
    T *const sizes = scratch.data(), *const sorted = sizes + lines, *const is_taken = sorted + lines,
            *const part = is_taken + lines;
    for (std::size_t line = 0; line < lines; ++line) {
      double size = 0;
      for (std::size_t i = 0; i < length; ++i) {
        at(m, line, i) += at(u, line, i);
        size += std::abs(static_cast<double>(at(m, line, i)));
      }
      sizes[line] = size != size ? std::numeric_limits<T>::infinity() : static_cast<T>(size / static_cast<double>(length));
    }
    choose(c.step, sizes, sorted, is_taken, lines, count);

    std::size_t row = 0;
    for (std::size_t line = 0; line < lines; ++line) {
      if (is_taken[line] == 0) continue;
      for (std::size_t i = 0; i < length; ++i) {
        part[row * length + i] = at(m, line, i);
        at(m, line, i) *= static_cast<T>(keep);
      }
      ++row;
    }
    iteration()(part, count, length, storage_order::row_major, factor(scale, u.rows, u.cols),
                scratch.subspan(3 * lines + count * length));
    row = 0;
    for (std::size_t line = 0; line < lines; ++line) {
      const bool moves = is_taken[line] != 0;
      for (std::size_t i = 0; i < length; ++i) at(u, line, i) = moves ? part[row * length + i] : T(0);
      row += moves;
    }
  }

private:
  [[nodiscard]] detail::newton_schulz iteration() const { return {coefficients, steps, epsilon, precision}; }

  // is_taken[line] = 1 or 0
  template <class T>
  void choose(long step, const T* sizes, T* sorted, T* is_taken, std::size_t lines, std::size_t count) const {
    std::fill_n(is_taken, lines, T(0));
    if (choice == row_choice::in_turn) {
      const std::size_t first = static_cast<std::size_t>(step - 1) % lines * count % lines;
      for (std::size_t i = 0; i < count; ++i) is_taken[(first + i) % lines] = T(1);
      return;
    }
    std::copy_n(sizes, lines, sorted);
    std::nth_element(sorted, sorted + (count - 1), sorted + lines, [](T a, T b) { return a > b; });
    const T least = sorted[count - 1];
    std::size_t left = count;
    for (std::size_t line = 0; line < lines; ++line)
      if (sizes[line] > least) is_taken[line] = T(1), --left;
    for (std::size_t line = 0; line < lines && left > 0; ++line)
      if (sizes[line] == least) is_taken[line] = T(1), --left;
  }
};

}  // namespace thalweg
