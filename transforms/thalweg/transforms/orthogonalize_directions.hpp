// orthogonalize_directions: Muown's step, the directions of a matrix's rows by Muon and their lengths by Adam.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/linear_algebra.hpp>
#include <thalweg/orthogonalization/newton_schulz.hpp>
#include <thalweg/orthogonalization/scale_rule.hpp>

namespace thalweg {

/// for each row: w = θ_i/‖θ_i‖, s = ⟨u_i, w⟩, d_i = ‖θ_i‖/‖v_i‖·(u_i - s·w),  m ← μ·m + (1-μ)·d,
/// v ← v - lr·scale·UVᵀ for μ·m + (1-μ)·d = UΣVᵀ,  update (θ_i - (‖θ_i‖ - lr·Adam(s))·v_i/‖v_i‖)/lr
///
/// | field          | default        | source                                                                  |
/// |----------------|----------------|-------------------------------------------------------------------------|
/// | momentum       | 0.95           | μ; Muown, Lion et al., arXiv 2605.10797, and its code (kcc-lion/muown)   |
/// | beta1          | 0.9            | the same: of the lengths' Adam                                          |
/// | beta2          | 0.95           | the same                                                                |
/// | epsilon        | 1e-8           | the same                                                                |
/// | scale          | match_rms{0.2} | the same; `nuclear_norm` is refused                                     |
/// | coefficients   | jordan         | the same                                                                |
/// | steps          | 5              | the same                                                                |
/// | matrix_epsilon | 1e-7           | the same: `epsilon` of `orthogonalize_update`                           |
/// | precision      | float32        | the same computes in bfloat16                                           |
/// | norm           | frobenius      | the same                                                                |
///
/// A row has a length, ‖θ_i‖, which Adam learns, and a direction, which Muon learns: growing lengths are what lets the spectral
/// norm drift upwards. v_i has the row's direction and a length of its own. That length alone is kept.
/// A row of zeros has no direction and stays zero. A length that would become negative turns its row
/// round. The update leads from the parameter as the user holds it, so the end is `apply_update`. Weight decay there shortens
/// the rows. Filters are viewed as (first, rest).
///
/// Throws at binding where a parameter has fewer than two dimensions. Tensor-wise. State: `momentum`, and of each row
/// `direction_norm`, `first_moment`, `second_moment`, from zero; a `direction_norm` of zero becomes the row's length.
///
///     auto muown = route(when(hidden_matrix, orthogonalize_directions{}), otherwise(scale_by_adam{})) | apply_update{};
struct orthogonalize_directions {
  double momentum = 0.95;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double epsilon = 1e-8;
  scale_rule scale = match_rms{0.2};
  coefficient_set coefficients = jordan;
  long steps = 5;
  double matrix_epsilon = 1e-7;
  thalweg::precision precision = thalweg::precision::float32;
  thalweg::norm norm = thalweg::norm::frobenius;
  static constexpr const char* elsewhere[] = {"muown"};
  static constexpr auto fields =
      list{field{"momentum", &orthogonalize_directions::momentum, from(0).below(1)},
           field{"beta1", &orthogonalize_directions::beta1, from(0).below(1)},
           field{"beta2", &orthogonalize_directions::beta2, from(0).below(1)},
           field{"epsilon", &orthogonalize_directions::epsilon, root_epsilon},
           field{"scale", &orthogonalize_directions::scale},
           field{"coefficients", &orthogonalize_directions::coefficients},
           field{"steps", &orthogonalize_directions::steps, from(1).to(100)},
           field{"matrix_epsilon", &orthogonalize_directions::matrix_epsilon, from(0).below(1)},
           field{"precision", &orthogonalize_directions::precision},
           field{"norm", &orthogonalize_directions::norm}};

  using states = state<zeros<"momentum">, rows<"direction_norm">, rows<"first_moment">, rows<"second_moment">>;

  void check(const parameter_info& p) const {
    check_has_sides("orthogonalize_directions", p);
    check_is_of_shape("orthogonalize_directions", scale);
    check_steps("orthogonalize_directions", coefficients, steps);
  }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const { return iteration().scratch(p.rows(), p.cols()); }

  [[nodiscard]] std::string computed_by() const { return linear_algebra::backend(); }

  template <class T>
  void apply(const context& c, whole<T> all, std::span<T> scratch, tensor<T> average, tensor<T> direction_norm,
             tensor<T> first, tensor<T> second) const noexcept {
    const auto u = all.update.matrix(), m = average.matrix();
    const auto theta = all.parameter.matrix();
    const auto length_of = [&](std::size_t i) {
      double squares = 0;
      for (std::size_t j = 0; j < theta.cols; ++j) squares += static_cast<double>(theta(i, j)) * theta(i, j);
      return sqrt(squares);
    };

    for (std::size_t i = 0; i < u.rows; ++i) {
      const double g = length_of(i), along = g == 0 ? 0 : 1 / g;
      if (direction_norm.data[i] == 0) direction_norm.data[i] = static_cast<T>(g);
      const double turn = g == 0 ? 0 : g / static_cast<double>(direction_norm.data[i]);
      double s = 0;
      for (std::size_t j = 0; j < u.cols; ++j) s += along * static_cast<double>(theta(i, j)) * static_cast<double>(u(i, j));
      for (std::size_t j = 0; j < u.cols; ++j) {
        const double d = turn * (static_cast<double>(u(i, j)) - s * along * static_cast<double>(theta(i, j)));
        m(i, j) = saturated<T>(lerp(d, static_cast<double>(m(i, j)), momentum));
        u(i, j) = saturated<T>(lerp(d, static_cast<double>(m(i, j)), momentum));
      }
      s = static_cast<double>(squarable(saturated<T>(s)));
      first.data[i] = saturated<T>(lerp(s, static_cast<double>(first.data[i]), beta1));
      second.data[i] = saturated<T>(lerp(s * s, static_cast<double>(second.data[i]), beta2));
    }

    iteration()(all.update.data, u.rows, u.cols, all.update.order, factor(scale, u.rows, u.cols), scratch);

    const double k = static_cast<double>(c.step), unbiased1 = one_minus_pow(beta1, k), unbiased2 = one_minus_pow(beta2, k);
    for (std::size_t i = 0; i < u.rows; ++i) {
      const double g = length_of(i), stretch = g == 0 ? 0 : static_cast<double>(direction_norm.data[i]) / g;
      const auto v = [&](std::size_t j) { return stretch * static_cast<double>(theta(i, j)) - c.lr * static_cast<double>(u(i, j)); };
      double squares = 0;
      for (std::size_t j = 0; j < u.cols; ++j) squares += v(j) * v(j);
      const double root = sqrt(static_cast<double>(second.data[i]) / unbiased2);
      const double longer = g - c.lr * static_cast<double>(first.data[i]) / unbiased1 / (root + epsilon);
      const bool stays = g == 0 || squares == 0 || c.lr == 0;
      for (std::size_t j = 0; j < u.cols; ++j)
        u(i, j) = stays ? T(0) : saturated<T>((static_cast<double>(theta(i, j)) - longer / sqrt(squares) * v(j)) / c.lr);
      if (!stays) direction_norm.data[i] = saturated<T>(sqrt(squares));
    }
  }

private:
  [[nodiscard]] detail::newton_schulz iteration() const { return {coefficients, steps, matrix_epsilon, precision, norm}; }
};

}  // namespace thalweg
