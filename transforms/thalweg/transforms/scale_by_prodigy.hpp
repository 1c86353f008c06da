// scale_by_prodigy: Adam with a learned learning rate: an estimate of the distance to the solution.
#pragma once

#include <optional>
#include <string_view>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// Whether the bias of the moments is corrected.
enum class moment_bias { kept, corrected };
constexpr std::string_view to_text(moment_bias b) { return b == moment_bias::kept ? "kept" : "corrected"; }

/// The weight of a gradient in Prodigy's sum.
enum class prodigy_weight { distance_and_lr, distance };
constexpr std::string_view to_text(prodigy_weight w) { return w == prodigy_weight::distance ? "distance" : "distance_and_lr"; }

/// η = d·lr,  m ← β₁·m + (1-β₁)·d·u,  v ← β₂·v + (1-β₂)·d²·u²,  s ← β₃·s + d/d₀·η·u,  r ← β₃·r + d/d₀·η·⟨u, a - θ⟩,
/// d' ← max(d, coefficient·r/‖s‖₁),  update d·(m / (√v + d'·ε) + λ·θ), with a: the initial parameter. Then λ is 0.
///
/// | field       | default         | source                                                                      |
/// |-------------|-----------------|-----------------------------------------------------------------------------|
/// | beta1       | 0.9             | Prodigy, Mishchenko & Defazio, arXiv 2306.06101; konstmish/prodigy           |
/// | beta2       | 0.999           | the same                                                                    |
/// | beta3       | none            | the same: √β₂                                                               |
/// | epsilon     | 1e-8            | the same                                                                    |
/// | initial     | 1e-6            | the same: d₀                                                                |
/// | coefficient | 1               | the same: d_coef, the field to tune                                         |
/// | growth      | none            | the same: growth_rate, the largest d'/d; none means no limit |
/// | bias        | kept            | the same; `corrected` is optax.contrib.prodigy: η·√(1-β₂ᵗ)/(1-β₁ᵗ) instead of η |
/// | weight      | distance_and_lr | the same; `distance` is its safeguard_warmup: d instead of η, only in s |
///
/// Model-wise. The sums are over all parameters of the chain or branch that have a gradient. Use lr = 1, and put
/// schedules before it. η includes a parameter's `lr_factor`. A parameter with lr = 0 does not change and adds nothing to
/// the sums. If ‖s‖₁ is 0, d and r do not change. d is right only if every parameter has a gradient in every step: r
/// remembers all parameters, and ‖s‖₁ holds those with a gradient, so that d may become far too large. State: `anchor`,
/// from the parameter; `first_moment` m/d₀, `second_moment` v/d₀², `sum` s, from zero; the scalars `distance` d,
/// `largest`, `product` r and `initial_distance` d₀ of the model. A later change of `initial` has no effect.
///
///     auto opt = optimizer(cosine{.steps = 10000} | scale_by_prodigy{} | apply_update{}, parameters, {.lr = 1});
struct scale_by_prodigy {
  double beta1 = 0.9;
  double beta2 = 0.999;
  std::optional<double> beta3{};
  double epsilon = 1e-8;
  double initial = 1e-6;
  double coefficient = 1;
  std::optional<double> growth{};
  moment_bias bias = moment_bias::kept;
  prodigy_weight weight = prodigy_weight::distance_and_lr;
  static constexpr auto fields = list{field{"beta1", &scale_by_prodigy::beta1, from(0).below(1)},
                                      field{"beta2", &scale_by_prodigy::beta2, from(0).below(1)},
                                      field{"beta3", &scale_by_prodigy::beta3, from(0).below(1)},
                                      field{"epsilon", &scale_by_prodigy::epsilon, root_epsilon},
                                      field{"initial", &scale_by_prodigy::initial, positive},
                                      field{"coefficient", &scale_by_prodigy::coefficient, positive},
                                      field{"growth", &scale_by_prodigy::growth, from(1)},
                                      field{"bias", &scale_by_prodigy::bias},
                                      field{"weight", &scale_by_prodigy::weight}};

  using states = state<copy_of_param<"anchor">, zeros<"first_moment">, zeros<"second_moment">, zeros<"sum">,
                       scalar<"distance", &scale_by_prodigy::initial>, scalar<"largest", &scale_by_prodigy::initial>,
                       scalar<"product">, scalar<"initial_distance", &scale_by_prodigy::initial>>;

  constexpr auto reduce(const context& c, double distance, double, double, double begun) const {
    const step now(*this, c, distance, begun);
    return [now]<class T>(element<T> e, T anchor, T, T, T sum) {
      const T weighed = T(now.ratio) * e.update;
      return sums(T(now.rate) * weighed * (anchor - e.parameter),
                  T(now.counts) * abs(T(now.keeps) * sum + T(now.adds) * weighed));
    };
  }

  constexpr auto at(const context& c, double products, double magnitudes, double distance, double largest,
                    double product, double begun) const noexcept {
    const step now(*this, c, distance, begun);
    const double estimated = now.forgets * product + products, estimate = magnitudes != 0 ? coefficient * estimated / magnitudes : 0;
    const bool is_one = magnitudes != 0 && is_finite(estimate);  // a bad number appears in the parameters; d stays
    const double most = is_one ? max(largest, estimate) : largest;
    const double from = is_one && distance == begun ? max(distance, estimate) : distance;
    const double ahead = !is_one ? distance : growth ? min(most, from * *growth) : most;
    const auto kernel = [now, b1 = now.rate == 0 ? 1 : beta1, b2 = now.rate == 0 ? 1 : beta2, decay = c.weight_decay,
                         epsilon = epsilon * (ahead / begun)]<class T>(element<T> e, T anchor, T first, T second, T sum) {
      const T u = T(now.ratio) * squarable(e.update, 1 / now.ratio);
      first = lerp(u, first, b1);
      second = lerp(u * u, second, b2);
      sum = T(now.keeps) * sum + T(now.adds) * u;
      return next(T(now.by) * (first / (sqrt(second) + T(epsilon)) + T(decay) * e.parameter), anchor, first, second, sum);
    };
    return next(kernel, ahead, most, is_one ? estimated : product, begun);
  }

  constexpr context pass_on(context c) const {
    c.weight_decay = 0;
    return c;
  }

private:
  /// The constants of a step. If lr is 0, nothing changes.
  struct step {
    double ratio;        ///< d/d₀
    double by;           ///< η/lr
    double rate;         ///< η
    double forgets;      ///< β₃
    double keeps, adds;  ///< of s
    double counts;       ///< 0 if lr is 0, otherwise 1

    constexpr step(const scale_by_prodigy& p, const context& c, double distance, double begun)
        : ratio(distance / begun), by(distance) {
      const double t = static_cast<double>(c.step);
      if (p.bias == moment_bias::corrected) by *= sqrt(one_minus_pow(p.beta2, t)) / one_minus_pow(p.beta1, t);
      rate = by * c.lr;
      forgets = p.beta3 ? *p.beta3 : sqrt(p.beta2);
      counts = rate == 0 ? 0 : 1;
      keeps = rate == 0 ? 1 : forgets;
      adds = rate == 0 ? 0 : p.weight == prodigy_weight::distance ? distance : rate;
    }
  };
};

}  // namespace thalweg
