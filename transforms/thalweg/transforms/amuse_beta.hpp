// amuse_beta: AMUSE's growing β, which moves the point of the gradients from the fast sequence to the average.
#pragma once

#include <optional>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// β_t = β₁ until step T₀, then
/// β_t = 1 - S^ρ·(1-β₁)  with  S = c_t·(1-c_T₀) / (c_T₀·(1-c_t)),
/// which for equal weights is (T₀-1)/(t-1). c is the average's weight.
///
/// | field       | default       | source                                 |
/// |-------------|---------------|----------------------------------------|
/// | beta1       | 0.6           | AMUSE, arXiv 2605.22432, Llama 124M    |
/// | rho         | 0.8           | the same; 0 keeps β₁, larger is sooner |
/// | beta1_steps | warmup_steps  | T₀: the same                           |
///
/// T₀ sets the pace of β. After N steps 1-β is about (1-β₁)·(T₀/N)^ρ. So choose T₀ for the N that you plan:
///
/// | published experiment      | β₁, ρ     | T₀/N | β at the end |
/// |---------------------------|-----------|-----:|-------------:|
/// | Llama 124M                | 0.6, 0.8  | 0.37 | 0.82         |
/// | Llama 720M                | 0.4, 0.8  | 0.12 | 0.89         |
/// | Llama 1.3B                | 0.4, 0.8  | 0.08 | 0.92         |
/// | CIFAR-10, WideResNet      | 0.8, 0.3  | 0.05 | 0.92         |
/// | CIFAR-100, DenseNet       | 0.7, 0.4  | 0.05 | 0.91         |
/// | SVHN, ResNet3-96          | 0.85, 0.2 | 0.05 | 0.92         |
/// | ImageNet, ResNet-50       | 0.6, 0.8  | 0.05 | 0.96         |
///
/// In small networks T₀ was best if β ends between 0.8 and 0.9: 3/8·N with the defaults, or N/5 to 2/5·N with β₁ = 0.8
/// and ρ = 0.3. With T₀ = N/20 the defaults end at 0.96, and cost 0.36 bits per byte: gradients are then computed close
/// to the average, which changes slowly (docs/claims.md, section 5). T₀ may be larger than the warm-up: use a warm-up
/// of N/20, and set `beta1_steps`.
///
/// Contextual: it passes `interpolation_beta` to the Schedule-Free transform downstream. It needs T₀ from the
/// warm-up or from the field. T₀ = 1 is useless: β would be 1 from the second step on. If the learning rate
/// rises later, S could exceed 1; then S is 1. Steps with lr = 0, and so c = 0, do not count: T₀ is then the
/// last step up to it with lr > 0, and at least the second such step. State: the scalar `warmup_average_weight`,
/// c_T₀.
///
///     auto c = orthogonalize_update{} | amuse_beta{.beta1 = 0.6, .rho = 0.8} | update_by_schedule_free{};
struct amuse_beta {
  double beta1 = 0.6;
  double rho = 0.8;
  std::optional<long> beta1_steps{};
  static constexpr auto fields = list{field{"beta1", &amuse_beta::beta1, from(0.001).to(1)},
                                      field{"rho", &amuse_beta::rho, non_negative},
                                      field{"beta1_steps", &amuse_beta::beta1_steps, from(2)}};

  static constexpr std::string_view remark =
      "beta grows from step beta1_steps on, or from the end of the warm-up. The authors of AMUSE use 5 to 37 % of all steps";

  using states = state<scalar<"warmup_average_weight">>;
  using feeds = interpolation_beta;

  constexpr auto at(context c, double at_warmup) const {
    const long last = beta1_steps.value_or(c.warmup_steps);
    if (last < 1)
      throw error("amuse_beta", "Expected warmup_steps >= 1, because beta grows from the end of the warm-up on. Received ",
                  c.warmup_steps, ". Set the option warmup_steps, or beta1_steps.");
    const double now = c.average_weight;  // 1 up to the first step that moves, 0 in later steps that do not
    const bool has_moved = at_warmup > 0 && (at_warmup < 1 || last == 1);
    if (c.step <= last || !has_moved) {
      c.say<interpolation_beta>(beta1);
      return next(c, now > 0 ? now : at_warmup);
    }
    const double ratio = now < 1 ? now * (1 - at_warmup) / (at_warmup * (1 - now)) : 1.0;
    c.say<interpolation_beta>(1 - pow(min(1.0, ratio), rho) * (1 - beta1));
    return next(c, at_warmup);
  }
};

}  // namespace thalweg
