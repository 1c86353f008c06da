// update_by_mechanic: an end that learns the learning rate of any chain.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <tuple>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// h ← ⟨g + decay·S·‖g‖/(‖θ‖ + ε)·θ, w⟩,  w ← w + lr·(u + λ·θ),  θ ← a - S·w, with a: the initial parameter, g: the user's
/// gradient. S is the sum of six scales s, each with a β of 1 - 0.1ⁱ:
/// c = h within ±m,  m ← max(β·m, |h| + ε),  v ← β²·v + h²,  r ← β·r + c·s,  s ← (initial/6·m + r₊) / (√v + ε)
///
/// | field   | default | source                                                                     |
/// |---------|---------|----------------------------------------------------------------------------|
/// | initial | 1e-6    | Mechanic, Cutkosky, Defazio & Mehta, arXiv 2306.00144; optax.contrib.mechanize: s_init |
/// | decay   | 0.01    | the same: its weight_decay, not that of the optimizer |
/// | epsilon | 1e-8    | the same                                                                   |
///
/// Model-wise. The sums are over all parameters of the chain or branch that have a gradient. Put any chain before it,
/// with lr = 1 or a schedule around 1. A parameter without a gradient does not change; its next step uses the new S.
/// State: `anchor`, from the parameter; `way` w, from zero (optax computes it from θ, which loses digits while S is
/// small); six times the scalars `scale` s, `largest` m, `squares` v and `reward` r of the model.
///
///     auto opt = optimizer(scale_by_lion{} | update_by_mechanic{}, parameters, {.lr = 1});
struct update_by_mechanic {
  double initial = 1e-6;
  double decay = 0.01;
  double epsilon = 1e-8;
  static constexpr const char* elsewhere[] = {"mechanic", "mechanize"};
  static constexpr auto fields = list{field{"initial", &update_by_mechanic::initial, positive},
                                      field{"decay", &update_by_mechanic::decay, non_negative},
                                      field{"epsilon", &update_by_mechanic::epsilon, root_epsilon}};

  using states = state<copy_of_param<"anchor">, displacement<"way">,
                       scalar<"scale1", &update_by_mechanic::initial>, scalar<"scale2", &update_by_mechanic::initial>,
                       scalar<"scale3", &update_by_mechanic::initial>, scalar<"scale4", &update_by_mechanic::initial>,
                       scalar<"scale5", &update_by_mechanic::initial>, scalar<"scale6", &update_by_mechanic::initial>,
                       scalar<"largest1">, scalar<"largest2">, scalar<"largest3">,
                       scalar<"largest4">, scalar<"largest5">, scalar<"largest6">,
                       scalar<"squares1">, scalar<"squares2">, scalar<"squares3">,
                       scalar<"squares4">, scalar<"squares5">, scalar<"squares6">,
                       scalar<"reward1">, scalar<"reward2">, scalar<"reward3">,
                       scalar<"reward4">, scalar<"reward5">, scalar<"reward6">>;
  static constexpr std::size_t scales = states::scalars / 4;

  template <std::same_as<double>... Scalars>
  constexpr auto reduce(const context&, Scalars...) const {
    return []<class T>(element<T> e, T, T way) {
      return sums(e.gradient * way, e.parameter * way, e.gradient * e.gradient, e.parameter * e.parameter);
    };
  }

  template <std::same_as<double>... Scalars>
    requires(sizeof...(Scalars) == 4 * scales)
  constexpr auto at(const context& c, double gained, double decayed, double gradients, double parameters,
                    Scalars... scalars) const noexcept {
    constexpr std::size_t n = scales;
    std::array<double, 4 * n> now{scalars...};
    double before = 0, ahead = 0, left = 1;  // left: 1 - β
    for (std::size_t i = 0; i < n; ++i) before += now[i];
    const double h = gained + decay * before * sqrt(gradients) / (sqrt(parameters) + epsilon) * decayed;
    for (std::size_t i = 0; i < n; ++i) {
      left /= 10;
      double &scale = now[i], &largest = now[n + i], &squares = now[2 * n + i], &reward = now[3 * n + i];
      if (abs(h) <= 0x1p511) {  // its square is finite; a bad number appears in the parameters, and the scales stay as they were
        const double clipped = min(max(h, -largest), largest);
        largest = max((1 - left) * largest, abs(h) + epsilon);
        squares = (1 - left) * (1 - left) * squares + h * h;
        reward = (1 - left) * reward + clipped * scale;
        scale = (initial / n * largest + max(0.0, reward)) / (sqrt(squares) + epsilon);
      }
      ahead += scale;
    }
    const auto kernel = [lr = c.lr, decay = c.lr * c.weight_decay, ahead]<class T>(element<T> e, T anchor, T way) {
      way = way + (T(lr) * e.update + T(decay) * e.parameter);
      return write(anchor - T(ahead) * way, anchor, way);
    };
    return std::apply([&](auto... s) { return next(kernel, s...); }, now);
  }
};

}  // namespace thalweg
