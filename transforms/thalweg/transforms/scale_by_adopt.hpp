// scale_by_adopt: Adam that normalises before it averages, by the second moment without the newest gradient.
#pragma once

#include <string_view>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// How ADOPT's moments begin.
enum class adopt_start {
  published,  ///< v = u² at the first step, then plain averages; normalised gradients are held within ±(t-1)^¼
  unbiased    ///< both averages with Adam's corrections, and no bound: HeavyBall's
};

constexpr std::string_view to_text(adopt_start s) { return s == adopt_start::published ? "published" : "unbiased"; }

/// update m ← β₁·m + (1-β₁)·clip(u / max(√v, ε), ±(t-1)^¼),  then v ← β₂·v + (1-β₂)·u²
///
/// | field   | default   | source                                                               |
/// |---------|-----------|----------------------------------------------------------------------|
/// | beta1   | 0.9       | Taniguchi et al., arXiv 2411.02853                                   |
/// | beta2   | 0.9999    | the same                                                             |
/// | epsilon | 1e-6      | the same                                                             |
/// | start   | published | the same; HeavyBall's is `unbiased`, with ε = 1e-8                   |
///
/// The first step only sets v to u². It moves no parameter and applies no decay.
///
/// State: `first_moment`, `second_moment`, from zero.
///
///     auto adopt = scale_by_adopt{.beta2 = 0.999} | apply_update{};
struct scale_by_adopt {
  double beta1 = 0.9;
  double beta2 = 0.9999;
  double epsilon = 1e-6;
  adopt_start start = adopt_start::published;
  static constexpr auto fields = list{field{"beta1", &scale_by_adopt::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_adopt::beta2, from(0).below(1)},
                                      field{"epsilon", &scale_by_adopt::epsilon, root_epsilon},
                                      field{"start", &scale_by_adopt::start}};

  using states = state<zeros<"first_moment">, zeros<"second_moment">>;

  constexpr auto at(const context& c) const {
    const bool first_step = c.step == 1, plain = start == adopt_start::published;
    const double t = static_cast<double>(c.step);
    // An average of t values with Adam's correction is one whose β is (β - βᵗ)/(1 - βᵗ).
    const auto unbiased = [](double beta, double of) { return 1 - (1 - beta) / one_minus_pow(beta, of); };
    const double keep1 = first_step ? 1 : plain ? beta1 : unbiased(beta1, t - 1);
    const double keep2 = first_step ? 0 : plain ? beta2 : unbiased(beta2, t);
    const double bound = plain ? pow(t - 1, 0.25) : std::numeric_limits<double>::infinity();
    return [=, floor = epsilon, moves = first_step ? 0 : 1]<class T>(
               element<T> e, T first, T second) {
      const T u = squarable(e.update);
      const T normal = u / max(sqrt(second), T(floor));
      const T held = min(max(normal, T(-bound)), T(bound));
      first = lerp(held, first, keep1);
      return next(T(moves) * first, first, lerp(u * u, second, keep2));
    };
  }

  constexpr context pass_on(context c) const {
    if (c.step == 1) c.weight_decay = 0;
    return c;
  }
};

}  // namespace thalweg
