// amuse_beta: AMUSE's interpolation, which moves the gradients' point from the fast sequence towards the average.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// β_t = β₁ until step T₀ (the end of the warm-up), then
/// β_t = 1 - S^ρ·(1-β₁)  with  S = c_t·(1-c_T₀) / (c_T₀·(1-c_t)),
/// which for equal weights is (T₀-1)/(t-1). c is the average's weight.
///
/// | field | default | source                                  |
/// |-------|---------|-----------------------------------------|
/// | beta1 | 0.6     | AMUSE, arXiv 2605.22432, Llama 124M     |
/// | rho   | 0.8     | the same; 0 keeps β₁, larger is sooner  |
///
/// T₀ sets the pace of β: at step 2·T₀ two thirds of the way from β₁ to 1 are done (by the defaults). For N steps the authors take T₀ = 0.37·N
/// (Llama 124M), 0.12·N and 0.08·N (720M and 1.3B, with β₁ = 0.4), and 0.05·N with ρ of 0.3 to 0.4 (vision). Much shorter
/// warm-ups cost accuracy.
///
/// Contextual: sets `beta` for the Schedule-Free transform downstream. It needs a warm-up. A warm-up of one step is of no
/// use (T₀ = 1 makes β 1 from the second step on). A learning rate that was raised later could carry S above 1; then S is
/// held at 1. Steps whose lr, and with it c, is 0 do not count: T₀ is the last step of the warm-up that moved, and
/// no earlier than the second step that moves. State: the scalar `warmup_average_weight`, c_T₀.
///
///     auto c = orthogonalize_update{} | amuse_beta{.beta1 = 0.6, .rho = 0.8} | update_by_schedule_free{};
struct amuse_beta {
  double beta1 = 0.6;
  double rho = 0.8;
  static constexpr auto fields = list{field{"beta1", &amuse_beta::beta1, from(0.001).to(1)},
                                      field{"rho", &amuse_beta::rho, non_negative}};

  static constexpr std::string_view remark =
      "the warm-up sets the pace of beta. The authors of AMUSE warm up for 5 to 37 % of all steps; less costs accuracy";

  using states = state<scalar<"warmup_average_weight">>;
  using feeds = interpolation_beta;

  constexpr auto at(context c, double at_warmup) const {
    if (c.warmup_steps < 1)
      throw error("amuse_beta", "Expected warmup_steps >= 1, since beta moves once the warm-up is over. Received ",
                  c.warmup_steps, ". Set the optimizer's option warmup_steps.");
    const double now = c.average_weight;  // 1 up to the first step that moves, 0 in later steps that do not
    const bool has_moved = at_warmup > 0 && (at_warmup < 1 || c.warmup_steps == 1);
    if (c.step <= c.warmup_steps || !has_moved) {
      c.beta = beta1;
      return next(c, now > 0 ? now : at_warmup);
    }
    const double ratio = now < 1 ? now * (1 - at_warmup) / (at_warmup * (1 - now)) : 1.0;
    c.beta = 1 - pow(min(1.0, ratio), rho) * (1 - beta1);
    return next(c, at_warmup);
  }
};

}  // namespace thalweg
