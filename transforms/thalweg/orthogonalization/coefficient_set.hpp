// Coefficients of the Newton–Schulz iteration: published sets, named after their sources, and computed sets.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include <thalweg/core/field.hpp>
#include <thalweg/core/type_list.hpp>

namespace thalweg {

/// One step of a Newton–Schulz iteration: X ← a·X + (b·A + c·A²)·X with A = X·Xᵀ. With c = 0 the step is cubic, and A² is not
/// computed in float32 or double.
struct quintic {
  double a, b, c;
};

/// A sequence of steps. If `steps` asks for more, the last one repeats.
struct coefficient_set {
  static constexpr std::size_t most = 32;

  std::string_view name;  ///< empty: the text lists the numbers
  std::array<quintic, most> steps;
  std::size_t count;
  bool rescale_columns = false;  ///< precondition: scale the columns (almost orthogonal layer) instead of the matrix
  /// With 16-bit factors, all steps except the last take x / margin. Rounding may move a value beyond the end of a
  /// set's interval. Where the set is steep there, the value would explode.
  double margin = 1;
  std::size_t least = 1;         ///< the set is refused with fewer steps
  std::optional<double> lower{};  ///< the lower bound for which a set was computed
  static constexpr auto fields = list{field{"count", &coefficient_set::count, from(1).to(most)}};

  [[nodiscard]] constexpr const quintic& step(std::size_t i) const { return steps[i < count ? i : count - 1]; }

  /// All steps except the last are applied to x / s.
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

/// Keller Jordan's for Muon: fast; singular values end between about 0.7 and 1.2.
inline constexpr coefficient_set jordan{"jordan", {{{3.4445, -4.7750, 2.0315}}}, 1};

/// Polar Express (Amsel et al., arXiv 2505.16932), with the authors' safety factor 1.01 in all steps except the last.
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

/// DeepSeek-V4's ten steps (its report, algorithm 1): eight of Jordan's raise the small singular values, two more move all
/// values to 1. It needs all ten.
inline constexpr coefficient_set deepseek_v4 = [] {
  coefficient_set set{"deepseek_v4", {}, 10, false, 1, 10};
  for (std::size_t i = 0; i < 10; ++i) set.steps[i] = i < 8 ? jordan.steps[0] : quintic{2, -1.5, 0.5};
  return set;
}();

/// The sets with a name.
constexpr std::array<coefficient_set, 6> named_values(std::type_identity<coefficient_set>) {
  return {jordan, polar_express, heavyball, cans, turbo_muon, deepseek_v4};
}

// A computed set has `most` steps. `steps` of `orthogonalize_update` says how many of them run. Each step is the odd
// polynomial closest to 1 on the interval of the singular values after the step before.

/// Polar Express (arXiv 2505.16932) for singular values from `lower` to 1, relative to the norm, with its authors'
/// safety factor of 1.01. The authors use `lower` = 1e-3, which gives the steps of `polar_express`.
///
///     orthogonalize_update{.coefficients = polar_express_for{.lower = 1e-4}, .steps = 8}
struct polar_express_for {
  double lower = 1e-3;
  static constexpr auto fields = list{field{"lower", &polar_express_for::lower, from(1e-15).below(1)}};
  operator coefficient_set() const;  // NOLINT: implicit by intent
};

enum class degree { three, five };
constexpr std::string_view to_text(degree d) { return d == degree::three ? "three" : "five"; }

/// CANS (arXiv 2506.10935): the same without a safety factor, of degree 5 or of degree 3. `cans` has the first five steps for
/// 1e-3, rounded.
struct cans_for {
  double lower = 1e-3;
  thalweg::degree degree = degree::five;
  static constexpr auto fields = list{field{"lower", &cans_for::lower, from(1e-15).below(1)},
                                      field{"degree", &cans_for::degree}};
  operator coefficient_set() const;  // NOLINT: the same
};

/// Steps of your own: the numbers a, b and c of a quintic step, a and b of a cubic step, and a semicolon between steps.
///
///     orthogonalize_update{.coefficients = polynomials{"3.4445 -4.775 2.0315; 1.5 -0.5"}}
struct polynomials {
  required<std::string> steps;
  double margin = 1;
  static constexpr auto fields = list{field{"steps", &polynomials::steps},
                                      field{"margin", &polynomials::margin, from(1).to(2)}};
  operator coefficient_set() const;  // NOLINT: the same
};

/// The types that convert to a set.
constexpr type_list<polar_express_for, cans_for, polynomials> made_values(std::type_identity<coefficient_set>) { return {}; }

std::string to_text(const coefficient_set& set);

}  // namespace thalweg
