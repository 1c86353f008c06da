// nesterov_ema: Muon's momentum, an average of the gradients with a look ahead.
#pragma once

#include <string_view>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// How the look-ahead joins the gradient g to the average m.
enum class look_ahead_rule {
  interpolate,  ///< (1-β)·g + β·m: Muon's and AMUSE's
  add_ema       ///< g + m: HeavyBall's
};
inline constexpr auto interpolate = look_ahead_rule::interpolate;
inline constexpr auto add_ema = look_ahead_rule::add_ema;

constexpr std::string_view to_text(look_ahead_rule rule) {
  return rule == look_ahead_rule::interpolate ? "interpolate" : "add_ema";
}

/// m ← (1-β)·u + β·m, update (1-β)·u + β·m; with `.look_ahead = add_ema`, update u + m
///
/// | field      | default     | source                                           |
/// |------------|-------------|--------------------------------------------------|
/// | beta       | 0.95        | Muon (Jordan 2024), AMUSE (arXiv 2605.22432)     |
/// | look_ahead | interpolate | the same; `add_ema` replays HeavyBall            |
///
/// State: `momentum`, from zero.
///
///     auto muon = nesterov_ema{.beta = 0.95} | orthogonalize_update{};
struct nesterov_ema {
  double beta = 0.95;
  look_ahead_rule look_ahead = interpolate;
  static constexpr auto fields = list{field{"beta", &nesterov_ema::beta, from(0).below(1)},
                                      field{"look_ahead", &nesterov_ema::look_ahead}};

  using states = state<zeros<"momentum">>;

  constexpr auto at(const context&) const {
    const bool add = look_ahead == add_ema;
    return [beta = beta, now = add ? 1 : 1 - beta, ahead = add ? 1 : beta]<class T>(element<T> e, T momentum) {
      momentum = lerp(e.update, momentum, beta);
      return next(T(now) * e.update + T(ahead) * momentum, momentum);
    };
  }
};

}  // namespace thalweg
