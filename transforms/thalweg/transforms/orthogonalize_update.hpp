// orthogonalize_update: Muon's step, the nearest semi-orthogonal matrix to the update.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>

#include <thalweg/core/concepts.hpp>
#include <thalweg/core/linear_algebra.hpp>

namespace thalweg {

/// One step of a quintic Newton–Schulz iteration: X ← a·X + (b·A + c·A²)·X with A = X·Xᵀ.
struct quintic {
  double a, b, c;
};

/// A published choice of steps. With more steps than it has, the last one repeats.
struct coefficient_set {
  std::string_view name;
  std::array<quintic, 5> steps;
  std::size_t count;
  bool rescale_columns = false;  ///< precondition: scale the columns (almost orthogonal layer) instead of the whole
  /// With factors of 16 bits all steps but the last take x / margin: a set that is steep at the end of its intervals would
  /// blow up what rounding lifts beyond it.
  double margin = 1;
  static constexpr auto fields = std::tuple{field{"count", &coefficient_set::count, from(1).to(5)}};

  [[nodiscard]] constexpr const quintic& step(std::size_t i) const { return steps[i < count ? i : count - 1]; }

  /// All steps but the last of x / s.
  [[nodiscard]] constexpr coefficient_set with_margin(double s) const {
    coefficient_set set = *this;
    for (std::size_t i = 0; i + 1 < count; ++i) {
      set.steps[i].a /= s;
      set.steps[i].b /= s * s * s;
      set.steps[i].c /= s * s * s * s * s;
    }
    return set;
  }
};

/// Keller Jordan's, of Muon: fast, singular values end between about 0.7 and 1.2.
inline constexpr coefficient_set jordan{"jordan", {{{3.4445, -4.7750, 2.0315}}}, 1};

/// Polar Express (Amsel et al., arXiv 2505.16932), with the authors' safety factor 1.01 in all but the last.
inline constexpr coefficient_set polar_express =
    coefficient_set{"polar_express",
                    {{{8.28721201814563, -23.595886519098837, 17.300387312530933},
                      {4.107059111542203, -2.9478499167379106, 0.5448431082926601},
                      {3.9486908534822946, -2.908902115962949, 0.5518191394370137},
                      {3.3184196573706015, -2.488488024314874, 0.51004894012372},
                      {2.300652019954817, -1.6689039845747493, 0.4188073119525673}}},
                    5}
        .with_margin(1.01);

/// HeavyBall's five.
inline constexpr coefficient_set heavyball{"heavyball",
                                           {{{4.0848, -6.8946, 2.9270},
                                             {3.9505, -6.3029, 2.6377},
                                             {3.7418, -5.5913, 2.3037},
                                             {2.8769, -3.1427, 1.2046},
                                             {2.8366, -3.0525, 1.2012}}},
                                           5};

/// CANS (Grishina et al., arXiv 2506.10935): Chebyshev-optimal steps. The margin is Polar Express' authors'.
inline constexpr coefficient_set cans{"cans",
                                      {{{8.4703, -25.1081, 18.6293},
                                        {4.1828, -3.1087, 0.5806},
                                        {3.9619, -2.9541, 0.5630},
                                        {3.2866, -2.4647, 0.5074},
                                        {2.2737, -1.6447, 0.4162}}},
                                      5,
                                      false,
                                      1.01};

/// Turbo-Muon (Boissin et al., 2025): four steps behind a rescaling of the columns.
inline constexpr coefficient_set turbo_muon{"turbo_muon",
                                            {{{4.0098, -7.0585, 2.4635},
                                              {3.4585, -5.5479, 2.5959},
                                              {2.7573, -3.2939, 1.4254},
                                              {2.7215, -3.0494, 1.3169}}},
                                            4,
                                            true};

/// Those with a name.
constexpr std::array<coefficient_set, 5> named_values(std::type_identity<coefficient_set>) {
  return {jordan, polar_express, heavyball, cans, turbo_muon};
}

inline std::string to_text(const coefficient_set& set) { return std::string(set.name); }

/// Scale rules: what the orthogonal matrix is multiplied with.
struct spectral {};  ///< √max(1, rows/cols): Muon
struct match_rms {   ///< rms·√max(rows, cols): AMUSE, Moonlight (arXiv 2502.16982); steps as long as Adam's
  double rms = 0.2;
  static constexpr auto fields = std::tuple{field{"rms", &match_rms::rms, positive}};
};
struct none {};
using scale_rule = std::variant<spectral, match_rms, none>;

constexpr double factor(const scale_rule& rule, std::size_t rows, std::size_t cols) {
  const auto m = static_cast<double>(rows), n = static_cast<double>(cols);
  if (const auto* match = std::get_if<match_rms>(&rule)) return match->rms * sqrt(max(m, n));
  return std::holds_alternative<spectral>(rule) ? sqrt(max(1.0, m / n)) : 1.0;
}

/// What the products of the iteration are computed in, for float parameters; sums are float32 always.
enum class precision {
  float32,   ///< factors of 16 bits or more: within about 1e-3 of the exact iteration (see docs/performance.md)
  bfloat16,  ///< factors may be rounded to bfloat16, where it is multiplied: within a few per cent
  float16    ///< factors may be rounded to float16, where it is multiplied: within about one per cent
};
inline constexpr auto float32 = precision::float32;
inline constexpr auto bfloat16 = precision::bfloat16;
inline constexpr auto float16 = precision::float16;

constexpr std::string_view to_text(precision p) {
  return p == float32 ? "float32" : p == bfloat16 ? "bfloat16" : "float16";
}

namespace detail {
/// How many steps run on the short side's Gram matrix before x is formed anew: `longest`, and first the remainder.
struct grouping {
  std::size_t longest;

  [[nodiscard]] constexpr std::size_t first(std::size_t steps) const {
    return steps % longest ? steps % longest : std::min(steps, longest);
  }
  [[nodiscard]] constexpr std::size_t count(std::size_t steps) const { return 1 + (steps - first(steps)) / longest; }
  /// How many matrices of short × short they need.
  [[nodiscard]] constexpr std::size_t squares() const { return longest > 1 ? 4 : 2; }

  /// The time of the steps where the long side is `ratio` short ones, in that of a product of short × short matrices;
  /// `gram` and `symmetric`: that of a Gram matrix and of a symmetric product, in that of a product of their sizes. A
  /// group of g steps forms the Gram matrix and the new x once, and multiplies small symmetric matrices 4g − 3 times.
  [[nodiscard]] constexpr double cost(std::size_t steps, double ratio, double gram, double symmetric) const {
    double sum = 0;
    for (std::size_t left = steps, length = first(steps); left; left -= length, length = longest)
      sum += ratio * (gram + 1) + symmetric * static_cast<double>(4 * length - 3);
    return sum;
  }
};

/// The iteration itself, in place, on a matrix that lies in memory as `order` says; it is scaled at the end.
struct newton_schulz {
  const coefficient_set& coefficients;
  long steps;
  double epsilon;
  thalweg::precision precision;

  [[nodiscard]] std::size_t scratch(std::size_t rows, std::size_t cols) const;  // numbers
  void operator()(float* matrix, std::size_t rows, std::size_t cols, storage_order order,
                  double scale, std::span<float> scratch) const noexcept;
  void operator()(double* matrix, std::size_t rows, std::size_t cols, storage_order order,
                  double scale, std::span<double> scratch) const noexcept;
};
}  // namespace detail

/// update scale·UVᵀ for u = UΣVᵀ, approximately: X = u/(‖u‖_F + ε), then `steps` Newton–Schulz steps
///
/// Filters of more than two dimensions are viewed as (first, rest); tall matrices are transposed for the iteration.
/// Where it is cheaper, several steps run on the short side's Gram matrix before X is formed anew. The matrix is
/// computed by one thread.
///
/// A zero matrix stays zero; a row, a column and any matrix of rank one become that matrix, with its one singular
/// value where the steps send 1. Where ‖u‖_F is not far above ε the result is shorter: 1e-30 times a matrix of
/// order one becomes almost zero, 1e30 times it what the matrix itself becomes. One NaN or infinity makes every
/// element NaN. Norms beyond 1e150 (double only) are out of range. Double parameters are computed in double,
/// whatever `precision` says.
///
/// | field        | default    | source                                           |
/// |--------------|------------|--------------------------------------------------|
/// | scale        | spectral{} | Muon (Jordan 2024); AMUSE uses match_rms{0.2}    |
/// | coefficients | jordan     | Muon                                             |
/// | steps        | 5          | Muon                                             |
/// | epsilon      | 1e-7       | Muon                                             |
/// | precision    | float32    | Muon computes in bfloat16                        |
///
/// Throws at binding where a parameter has fewer than two dimensions.
///
///     auto muon = nesterov_ema{} | orthogonalize_update{.scale = match_rms{0.2}, .coefficients = polar_express};
struct orthogonalize_update {
  scale_rule scale = spectral{};
  coefficient_set coefficients = jordan;
  long steps = 5;
  double epsilon = 1e-7;
  thalweg::precision precision = float32;
  static constexpr auto fields = std::tuple{field{"scale", &orthogonalize_update::scale},
                                            field{"coefficients", &orthogonalize_update::coefficients},
                                            field{"steps", &orthogonalize_update::steps, from(1).to(100)},
                                            field{"epsilon", &orthogonalize_update::epsilon, above(0).below(1)},
                                            field{"precision", &orthogonalize_update::precision}};

  void check(const parameter_info& p) const { check_has_sides("orthogonalize_update", p); }

  [[nodiscard]] std::size_t scratch(const parameter_info& p) const {
    return iteration().scratch(p.shape.front(), p.size() / p.shape.front());
  }

  [[nodiscard]] std::string computed_by() const { return linear_algebra::backend(); }

  template <class T>
  void apply(const context&, tensor<T> update, std::span<T> scratch) const noexcept {
    const std::size_t rows = update.rows(), cols = update.cols();
    iteration()(update.data, rows, cols, update.order, factor(scale, rows, cols), scratch);
  }

 private:
  [[nodiscard]] detail::newton_schulz iteration() const { return {coefficients, steps, epsilon, precision}; }
};

}  // namespace thalweg
