// Every kernel once on numbers that can be worked out in one's head, at compile time. Most are sums of powers of two,
// so that nothing is rounded.
#include <doctest/doctest.h>
#include <thalweg/transforms.hpp>

using namespace thalweg;

namespace {

constexpr element<double> of(double update, double parameter = 0) {
  return {.update = update, .gradient = update, .parameter = parameter};
}

constexpr bool near(double a, double b) { return a - b < 1e-14 && b - a < 1e-14; }
constexpr bool about(double a, double b) { return a - b < 1e-9 && b - a < 1e-9; }  // of powers

// A kernel's result: the update (or parameter) and then the states.
template <class Value, class... States>
constexpr bool gives(const next_t<Value, States...>& r, double update, std::type_identity_t<States>... states) {
  return near(r.value, update) && std::apply([&](auto... s) { return (near(s, states) && ...); }, r.states);
}
template <class Value, class... States>
constexpr bool gives(const write_t<Value, States...>& r, double parameter, std::type_identity_t<States>... states) {
  return near(r.parameter, parameter) && std::apply([&](auto... s) { return (near(s, states) && ...); }, r.states);
}

constexpr context now{};

// t steps of equal weights: c_t = 1/t.
constexpr context equal_weights(long step, long warmup) {
  return {.step = step, .lr = 1, .warmup_steps = warmup, .average_weight = 1 / static_cast<double>(step)};
}

}  // namespace

TEST_CASE("by hand: momenta") {
  // m = ½·4 + 3 = 5
  static_assert(gives(heavyball_momentum{.beta = 0.5}.at(now)(of(3), 4.0), 5, 5));
  // m = 5, and 3 + ½·5
  static_assert(gives(nesterov_momentum{.beta = 0.5}.at(now)(of(3), 4.0), 5.5, 5));
  // m = ¼·8 + ¾·4 = 5
  static_assert(gives(ema{.beta = 0.75}.at(now)(of(8), 4.0), 5, 5));
  // m = 5, and ¼·8 + ¾·5
  static_assert(gives(nesterov_ema{.beta = 0.75}.at(now)(of(8), 4.0), 5.75, 5));
  // m = 5, and 8 + 5
  static_assert(gives(nesterov_ema{.beta = 0.75, .look_ahead = add_ema}.at(now)(of(8), 4.0), 13, 5));
}

TEST_CASE("by hand: second moments") {
  // m = ½·4 + ½·2 = 3, over 1 - ½² = ¾: 4.  v = ¼·16 + ¾·4 = 7, over 1 - (¾)² = 7/16: 16.  4/(4 + ¼)
  static_assert(gives(scale_by_adam{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.25}.at(context{.step = 2})(
                          of(4), 2.0, 4.0), 16.0 / 17, 3, 7));
  // The first step is one step long, whatever the gradient.
  static_assert(gives(scale_by_adam{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0}.at(context{.step = 1})(
                          of(-8), 0.0, 0.0), -1, -4, 16));
  // v̂ as above: 4/(√16 + ¼)
  static_assert(gives(scale_by_exp_avg_sq{.beta2 = 0.75, .epsilon = 0.25}.at(context{.step = 2})(of(4), 4.0),
                      16.0 / 17, 7));
  static_assert(gives(scale_by_exp_avg_sq{.beta2 = 0.75, .epsilon = 0}.at(context{.step = 1})(of(-8), 0.0), -1, 16));
  // v = ¼·36 + ¾·0 = 9, uncorrected: 6/(3 + ¾)
  static_assert(gives(scale_by_rms{.beta = 0.75, .epsilon = 0.75}.at(context{.step = 2})(of(6), 0.0), 1.6, 9));
  // s = 7 + 9: 3/(4 + 0.8)
  static_assert(gives(scale_by_rss{.epsilon = 0.8}.at(now)(of(3), 7.0), 0.625, 16));
}

TEST_CASE("by hand: Adam's family") {
  // m̂ = 4 and v = 7 as above; the largest v is 28, which is 64 corrected: 4/(8 + ¼)
  static_assert(gives(scale_by_amsgrad{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.25}.at(context{.step = 2})(
                          of(4), 2.0, 4.0, 28.0), 16.0 / 33, 3, 7, 28));
  static_assert(gives(scale_by_amsgrad{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.25}.at(context{.step = 2})(
                          of(4), 2.0, 4.0, 3.0), 16.0 / 17, 3, 7, 7));
  // Without decay μ is ¼ throughout: (8·¾/¾ + 4·¼/(1 - 1/16)) / 8
  constexpr auto nadam = scale_by_nadam{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0, .momentum_decay = 0}.at(now, 0.0);
  static_assert(gives(nadam.value(of(8), 0.0, 0.0), 17.0 / 15, 4, 16));
  static_assert(std::get<0>(nadam.states) == 0.75);
  // ρ_∞ = 7; at the first step ρ = 7 - 2·¾/¼ = 1: m̂ alone. Long after, ρ = ρ_∞ and r = 1: 3/(3 + ¾)
  constexpr scale_by_radam radam{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0.75};
  static_assert(gives(radam.at(now)(of(8), 0.0, 0.0), 8, 4, 16));
  static_assert(gives(radam.at(context{.step = 10000})(of(6), 0.0, 0.0), 0.8, 3, 9));
  static_assert(rectify_lr{.beta2 = 0.75}.at(context{.step = 1, .lr = 2}).lr == 0);
  static_assert(near(rectify_lr{.beta2 = 0.75}.at(context{.step = 10000, .lr = 2}).lr, 2));
  // The first step is none. The second: 8/√4, held at 1^¼, and v = ¼·64 + ¾·4
  constexpr scale_by_adopt adopt{.beta1 = 0.5, .beta2 = 0.75};
  static_assert(gives(adopt.at(now)(of(4), 0.0, 0.0), 0, 0, 16));
  static_assert(gives(adopt.at(context{.step = 2})(of(8), 0.0, 4.0), 0.5, 0.5, 19));
  static_assert(adopt.pass_on(context{.step = 1, .weight_decay = 1}).weight_decay == 0);
  static_assert(adopt.pass_on(context{.step = 2, .weight_decay = 1}).weight_decay == 1);
  // Unbiased and unbounded: m is 8/2 itself, v = (64 + ¾·4)/(1 + ¾)
  static_assert(gives(scale_by_adopt{.beta1 = 0.5, .beta2 = 0.75, .start = adopt_start::unbiased}.at(
                          context{.step = 2})(of(8), 0.0, 4.0), 4, 4, 268.0 / 7));
  // v̂ = 64: 8/8, of which a half joins m, and m̂ is 1 again
  static_assert(gives(scale_by_laprop{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0}.at(now)(of(8), 0.0, 0.0), 1, 0.5, 16));
  // (8 + 2·2)/8
  static_assert(gives(scale_by_ademamix{.beta1 = 0.5, .beta2 = 0.75, .beta3 = 0.75, .alpha = 2, .epsilon = 0}.at(now)(
                          of(8), 0.0, 0.0, 0.0), 1.5, 4, 2, 16));
  // m̂ = √v̂ = ¼, over a floor of ½
  static_assert(gives(scale_by_adam{.beta1 = 0.5, .beta2 = 0.75, .epsilon = 0, .floor = 0.5}.at(now)(
                          of(0.25), 0.0, 0.0), 0.5, 0.125, 0.015625));
  // The first step knows no change: 8/8. Then d = 4 - 2: m̂ = (½·4 + ½·2)/¾, v̂ = ½·2/¾, n = ½·(4 + 1)² over ¾
  constexpr scale_by_adan adan{.beta1 = 0.5, .beta2 = 0.5, .beta3 = 0.5, .epsilon = 0};
  static_assert(gives(adan.at(now)(of(8), 0.0, 0.0, 0.0, 0.0), 1, 4, 0, 32, 8));
  static_assert(gives(adan.at(context{.step = 2})(of(4), 2.0, 0.0, 1.0, 2.0),
                      (4 + 2.0 / 3) / thalweg::sqrt(13 / 0.75), 3, 1, 13, 4));
}

TEST_CASE("by hand: corrections") {
  // 6 + ½·½/½·(6 - 2)
  static_assert(gives(mars{.gamma = 0.5, .beta1 = 0.5}.at(now)(of(6), 2.0), 8, 6));
  // One of four agrees: 4/(1 + 1), or 4/1
  constexpr element<double> with{.update = 3, .gradient = 1, .parameter = 0};
  constexpr element<double> against{.update = 3, .gradient = -1, .parameter = 0};
  constexpr element<double> still{.update = 3, .gradient = 0, .parameter = 0};
  constexpr cautious published, heavyballs{.rule = caution_rule::heavyball};
  static_assert(published.reduce(now)(with) == std::array{1.0, 1.0});
  static_assert(published.reduce(now)(against) == std::array{0.0, 1.0});
  static_assert(published.reduce(now)(still)[0] == 0 && heavyballs.reduce(now)(still)[0] == 1);
  static_assert(gives(published.at(now, 1, 4)(with), 6) && gives(published.at(now, 1, 4)(against), 0));
  static_assert(gives(heavyballs.at(now, 1, 4)(with), 12) && gives(heavyballs.at(now, 1, 4)(still), 12));
  static_assert(gives(published.at(now, 1, 4)(still), 0) && gives(heavyballs.at(now, 0, 4)(against), 0));
  // 3 + ¼·8; against the parameter's sign nothing decays
  constexpr context decaying{.weight_decay = 0.25};
  static_assert(gives(cautious_decay{}.at(decaying)(of(3, 8)), 5));
  static_assert(gives(cautious_decay{}.at(decaying)(of(-3, 8)), -3));
  static_assert(gives(cautious_decay{}.at(decaying)(of(0, 8)), 2));
  static_assert(cautious_decay{}.pass_on(decaying).weight_decay == 0);
  static_assert(gives(clip_by_value{.limit = 2}.at(now)(of(5)), 2));
  static_assert(gives(clip_by_value{.limit = 2}.at(now)(of(-5)), -2));
  // RMS 5 and 1 of two numbers
  static_assert(gives(clip_by_rms{.max_rms = 2.5}.at(now, 50, 2)(of(4)), 2));
  static_assert(gives(clip_by_rms{.max_rms = 2.5}.at(now, 2, 2)(of(4)), 4));
  static_assert(gives(scale_to_rms{.rms = 2.5}.at(now, 50, 2)(of(4)), 2));
  static_assert(gives(scale_to_rms{}.at(now, 0, 2)(of(0)), 0));
  static_assert(gives(scale_by_parameter_rms{}.at(now, 50, 2)(of(4)), 20));
  // ½·6/3, and nothing where a norm is none
  static_assert(gives(scale_by_trust_ratio{.trust = 0.5}.at(now, 36, 9)(of(4)), 4));
  static_assert(gives(scale_by_trust_ratio{.trust = 0.5}.at(now, 0, 9)(of(4)), 4));
  // θ = (3, 4), u = (4, -3), lr ¾: p = θ - ¾·u = (0, 6¼), as long as 5 again
  static_assert(gives(update_on_sphere{}.at(context{.lr = 0.75}, 25, 0, 25)(of(4, 3)), 0));
  static_assert(gives(update_on_sphere{}.at(context{.lr = 0.75}, 25, 0, 25)(of(-3, 4)), 5));
  static_assert(gives(update_on_sphere{}.at(context{.lr = 0.75}, 0, 0, 25)(of(4, 0)), 0));
  static_assert(gives(clip_by_norm{.max_norm = 2}.at(now, 25)(of(5)), 2));
  static_assert(gives(clip_by_norm{.max_norm = 2}.at(now, 1)(of(5)), 5));
}

TEST_CASE("by hand: signs") {
  // ½·2 - ½·4 < 0;  m = ¼·2 - ¾·4
  static_assert(gives(scale_by_lion{.beta1 = 0.5, .beta2 = 0.75}.at(now)(of(2), -4.0), -1, -2.5));
  // The old momentum joins in the sign: ¼·4 - ¾·2 < 0, though the new one, ¾·4 - ¼·2, is positive.
  static_assert(gives(scale_by_lion{.beta1 = 0.75, .beta2 = 0.25}.at(now)(of(4), -2.0), -1, 2.5));
  static_assert(gives(scale_by_sign{}.at(now)(of(-3)), -1));
  static_assert(gives(scale_by_sign{}.at(now)(of(0)), 0));
  static_assert(gives(scale_by_sign{}.at(now)(of(2)), 1));
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  static_assert(scale_by_sign{}.at(now)(of(nan)).value != scale_by_sign{}.at(now)(of(nan)).value);
}

TEST_CASE("by hand: scales, decay and clipping") {
  static_assert(gives(scale{.by = -2}.at(now)(of(3)), -6));
  static_assert(scale_lr{.by = 0.5}.at(context{.lr = 0.25}).lr == 0.125);
  // 3 + ¼·8, and λ is spent
  static_assert(gives(decay_weights{}.at(context{.weight_decay = 0.25})(of(3, 8)), 5));
  static_assert(decay_weights{}.pass_on(context{.lr = 0.5, .weight_decay = 0.25}).weight_decay == 0);
  static_assert(decay_weights{}.pass_on(context{.lr = 0.5, .weight_decay = 0.25}).lr == 0.5);
  // ‖u‖ = √25: times 2/5. Short updates stay as they are.
  static_assert(clip_by_global_norm{.max_norm = 2}.reduce(now)(of(-3)) == 9);
  static_assert(gives(clip_by_global_norm{.max_norm = 2}.at(now, 25)(of(5)), 2));
  static_assert(gives(clip_by_global_norm{.max_norm = 2}.at(now, 4)(of(5)), 5));
  static_assert(gives(clip_by_global_norm{.max_norm = 2}.at(now, 1)(of(5)), 5));
}

TEST_CASE("by hand: apply_update") {
  // (1 - ½·½)·8 - ½·4
  static_assert(gives(apply_update{}.at(context{.lr = 0.5, .weight_decay = 0.5})(of(4, 8)), 4));
  static_assert(gives(apply_update{}.at(context{.lr = 0.5})(of(4, 8)), 6));
}

TEST_CASE("by hand: the average's weight") {
  static_assert(weight_of_step(3, 2, 2, 1) == 12);  // 3·2²
  static_assert(weight_of_step(3, 2, 2, 0) == 4);
  static_assert(weight_of_step(3, 2, 0, 2) == 9);
  static_assert(weight_of_step(3, 0, 2, 0) == 0);
}

TEST_CASE("by hand: update_by_schedule_free") {
  constexpr context c{.step = 4, .lr = 0.5, .weight_decay = 0.5, .average_weight = 0.25};
  constexpr update_by_schedule_free z{.beta = 0.5};
  constexpr update_by_schedule_free y{.beta = 0.5, .decay = decay_point::y};
  // y = 4, z = 2, so x = (4 - ½·2)/½ = 6.  z' = ¾·2 - ½·3 = 0,  x' = ¾·6 + ¼·0 = 4½,  y' = ½·0 + ½·4½
  static_assert(gives(z.at(c, 0.5).value(of(3, 4), 2.0), 2.25, 0));
  // z' = 2 - ¼·4 - ½·3 = -½,  x' = ¾·6 - ⅛ = 4⅜,  y' = -¼ + 2 3/16
  static_assert(gives(y.at(c, 0.5).value(of(3, 4), 2.0), 1.9375, -0.5));
  static_assert(std::get<0>(z.at(c, 0.5).states) == 0.5);

  // A β that moves to ¾: x is recovered with the ½ that built y, and y' = ¼·0 + ¾·4½.
  constexpr auto moving = [=] {
    context m = c;
    m.say<interpolation_beta>(0.75);
    return m;
  }();
  static_assert(gives(z.at(moving, 0.5).value(of(3, 4), 2.0), 3.375, 0));
  static_assert(std::get<0>(z.at(moving, 0.5).states) == 0.75);

  // Decay at z and half of it at y: z' = ¾·2 - ½·(3 + ½·½·4) = -½; and twice at y: z' = 2 - ½·(3 + 2·½·4) = -1½
  constexpr update_by_schedule_free both{.beta = 0.5, .decay_at_y = 0.5};
  constexpr update_by_schedule_free twice{.beta = 0.5, .decay = decay_point::y, .decay_at_y = 1};
  static_assert(gives(both.at(c, 0.5).value(of(3, 4), 2.0), 1.9375, -0.5));
  static_assert(gives(twice.at(c, 0.5).value(of(3, 4), 2.0), 1.3125, -1.5));

  // Half a weight instead of a quarter: ½·6 + ½·0, and y' half of it
  static_assert(gives(update_by_schedule_free{.beta = 0.5, .weight = refined_weight{4}}.at(c, 0.5).value(of(3, 4), 2.0),
                      1.5, 0));

  // The first step: c = 1, so x and y are z.  (1 - ¼)·4 - ½·3
  constexpr context first{.step = 1, .lr = 0.5, .weight_decay = 0.5};
  static_assert(gives(z.at(first, 0.5).value(of(3, 4), 4.0), 1.5, 1.5));

  static_assert(z.average(0.5)(of(0, 4), 2.0) == 6);
}

TEST_CASE("by hand: amuse_beta") {
  constexpr auto beta = [](amuse_beta a, context c, double at_warmup) { return *a.at(c, at_warmup).value.heard<interpolation_beta>(); };
  constexpr double third = 1.0 / 3;  // c_T₀ for T₀ = 3
  // Until T₀ it is β₁, and c_t is kept.
  static_assert(beta({.beta1 = 0.5, .rho = 1}, equal_weights(3, 3), 0.5) == 0.5);
  static_assert(std::get<0>(amuse_beta{}.at(equal_weights(3, 3), 0.5).states) == third);
  static_assert(std::get<0>(amuse_beta{}.at(equal_weights(5, 3), third).states) == third);
  // S = (3 - 1)/(5 - 1) = ½: 1 - ½·½, and with ρ = 2: 1 - ¼·½
  static_assert(near(beta({.beta1 = 0.5, .rho = 1}, equal_weights(5, 3), third), 0.75));
  static_assert(near(beta({.beta1 = 0.5, .rho = 2}, equal_weights(5, 3), third), 0.875));
  // S = 2/(4 - 1)
  static_assert(near(beta({.beta1 = 0.5, .rho = 1}, equal_weights(4, 3), third), 2.0 / 3));
  static_assert(near(beta({.beta1 = 0.5, .rho = 0}, equal_weights(4, 3), third), 0.5));
  // For equal weights S = (T₀-1)/(t-1), at every t.
  static_assert([=] {
    for (long t = 4; t < 50; ++t)
      if (const double s = 2 / static_cast<double>(t - 1);
          !near(beta({.beta1 = 0.25, .rho = 1}, equal_weights(t, 3), third), 1 - s * 0.75))
        return false;
    return true;
  }());
  // Unequal weights 1, 4, 4 and T₀ = 2: c_2 = 4/5, c_3 = 4/9, S = (4/9 · 1/5)/(4/5 · 5/9) = 1/5
  static_assert(near(beta({.beta1 = 0.5, .rho = 1},
                          {.step = 3, .lr = 2, .warmup_steps = 2, .average_weight = 4.0 / 9}, 0.8), 0.9));
  // β₁ for four steps, of which c_4 = 1/4, though the warm-up has two: S = (4 - 1)/(5 - 1) = ¾; and without a warm-up.
  static_assert(beta({.beta1 = 0.5, .rho = 1, .beta1_steps = 4}, equal_weights(4, 2), 1.0 / 3) == 0.5);
  static_assert(std::get<0>(amuse_beta{.beta1_steps = 4}.at(equal_weights(4, 2), 1.0 / 3).states) == 0.25);
  static_assert(near(beta({.beta1 = 0.5, .rho = 1, .beta1_steps = 4}, equal_weights(5, 2), 0.25), 0.625));
  static_assert(near(beta({.beta1 = 0.5, .rho = 1, .beta1_steps = 4}, equal_weights(5, 0), 0.25), 0.625));
  // The shortest, two steps within a warm-up of three: S = (2 - 1)/(3 - 1)
  static_assert(near(beta({.beta1 = 0.5, .rho = 1, .beta1_steps = 2}, equal_weights(3, 3), 0.5), 0.75));
  // A learning rate raised later would make S > 1: it is held at 1.
  static_assert(beta({.beta1 = 0.5, .rho = 1},
                     {.step = 3, .lr = 90, .warmup_steps = 2, .average_weight = 0.999}, 0.8) == 0.5);
}

TEST_CASE("by hand: schedules") {
  constexpr auto lr = [](auto schedule, long step) { return schedule.at(context{.step = step, .lr = 2}).lr; };

  static_assert(lr(warmup{.steps = 4}, 1) == 0.5);
  static_assert(lr(warmup{.steps = 4}, 4) == 2);
  static_assert(lr(warmup{.steps = 4}, 9) == 2);
  static_assert(warmup{.steps = 4}.at(context{}).warmup_steps == 4);

  // Half way down from 2 to 1
  constexpr linear line{.steps = 4, .final = 0.5};
  static_assert(lr(line, 1) == 2);
  static_assert(lr(line, 3) == 1.5);
  static_assert(lr(line, 5) == 1);
  static_assert(lr(line, 50) == 1);

  // cos 0 = 1, cos π/2 = 0, cos π = -1;  (1 + cos π/4)/2 = (2 + √2)/4
  static_assert(lr(cosine{.steps = 4}, 1) == 2);
  static_assert(near(lr(cosine{.steps = 4}, 2), (2 + std::numbers::sqrt2) / 2));
  static_assert(near(lr(cosine{.steps = 4}, 3), 1));
  static_assert(near(lr(cosine{.steps = 4}, 5), 0));
  static_assert(near(lr(cosine{.steps = 4}, 50), 0));
  static_assert(near(lr(cosine{.steps = 4, .final = 0.25}, 3), 1.25));
  static_assert(near(lr(cosine{.steps = 4, .final = 0.25}, 5), 0.5));

  // Up in 2 steps; down over the last 4 of 10, to a half: 4/4, 3/4, 2/4, 1/4, then 0 of what is above it.
  constexpr warmup_stable_decay wsd{.warmup_steps = 2, .steps = 10, .decay_steps = 4, .final = 0.5};
  static_assert(lr(wsd, 1) == 1);
  static_assert(lr(wsd, 2) == 2);
  static_assert(lr(wsd, 7) == 2);
  static_assert(lr(wsd, 8) == 1.75);
  static_assert(lr(wsd, 10) == 1.25);
  static_assert(lr(wsd, 11) == 1);
  static_assert(lr(wsd, 99) == 1);
  static_assert(wsd.at(context{}).warmup_steps == 2);
}

TEST_CASE("by hand: more schedules") {
  constexpr auto lr = [](auto schedule, long step) { return schedule.at(context{.step = step, .lr = 2}).lr; };
  // Cycles of 2, 4, …: tops at 1, 3, 7, half way at 2, 5
  constexpr cosine_restarts restarts{.steps = 2, .growth = 2};
  static_assert(lr(restarts, 1) == 2 && lr(restarts, 3) == 2 && lr(restarts, 7) == 2);
  static_assert(near(lr(restarts, 2), 1) && near(lr(restarts, 5), 1));
  static_assert(lr(cosine_restarts{.steps = 2}, 3) == 2 && near(lr(cosine_restarts{.steps = 2}, 4), 1));
  static_assert(lr(inverse_sqrt{.steps = 4}, 3) == 2 && lr(inverse_sqrt{.steps = 4}, 16) == 1);
  constexpr piecewise steps{change{.from = 3, .by = 0.5}, change{.from = 5, .by = 0.25}};
  static_assert(lr(steps, 2) == 2 && lr(steps, 3) == 1 && lr(steps, 5) == 0.25);
  constexpr auto joined = join(for_steps(2, warmup{.steps = 2}), for_steps(1, scale_lr{.by = 3}), linear{.steps = 2});
  static_assert(lr(joined, 1) == 1 && lr(joined, 2) == 2 && lr(joined, 3) == 6);
  static_assert(lr(joined, 4) == 2 && lr(joined, 5) == 1);
  static_assert(joined.at(context{.step = 5}).step == 5 && joined.at(context{.step = 1}).warmup_steps == 2);
  // β = ½·½: ¾·8 + ¼·4
  static_assert(gives(scheduled(&ema::beta, scale_lr{.by = 0.5}, ema{.beta = 0.5}).at(now)(of(8), 4.0), 7, 7));
}

TEST_CASE("by hand: averages") {
  constexpr context c{.step = 4, .lr = 0.5, .weight_decay = 0.5, .average_weight = 0.25};
  // ¾·8 - ½·4 = 4; half of the way from 2; and back to it where they meet
  static_assert(gives(update_by_lookahead{.alpha = 0.5, .period = 3}.at(c)(of(4, 8), 2.0), 4, 2));
  static_assert(gives(update_by_lookahead{.alpha = 0.5, .period = 2}.at(c)(of(4, 8), 2.0), 3, 3));
  // ¼ of the way from 0 to 4, or half of it; and the 1 that rounding took before
  static_assert(gives(update_and_average{}.at(c)(of(4, 8), 0.0, 0.0), 4, 1, 0));
  static_assert(gives(update_and_average{.memory = forgetting{0.5}}.at(c)(of(4, 8), 0.0, 0.0), 4, 2, 0));
  static_assert(gives(update_and_average{}.at(c)(of(4, 8), 0.0, 1.0), 4, 2, 0));
  // y = 4, z = 2: x = 2 + (4 - 2)/½ = 6.  z' = ¾·2 - ½·3 = 0,  x' = ¾·6,  y' = ½·x'
  constexpr update_by_primal_averaging averaging{.mu_x = 0.75, .mu_y = 0.5};
  static_assert(gives(averaging.at(c)(of(3, 4), 2.0), 2.25, 0));
  static_assert(averaging.average()(of(0, 4), 2.0) == 6);
  static_assert(gives(freeze{}.at(c)(of(4, 8)), 8));
}

TEST_CASE("by hand: gates and the loss") {
  static_assert(!accumulate{.steps = 3}.opens(1) && !accumulate{.steps = 3}.opens(2));
  static_assert(accumulate{.steps = 3}.opens(3));
  static_assert(gives(accumulate{.steps = 4}.absorb(1)(of(8), 9.0), 2, 2));
  static_assert(gives(accumulate{.steps = 4}.absorb(6)(of(8), 1.0), 3, 3));
  static_assert(gives(accumulate{.steps = 4}.at(now)(of(8), 1.0), 3, 3));
  static_assert(gives(accumulate{.steps = 1}.at(now)(of(8), 9.0), 8, 8));
  static_assert(when_finite{}.reduce(now)(of(8)) == 0 && when_finite{}.proceeds(0));
  static_assert(!when_finite{}.proceeds(std::numeric_limits<double>::quiet_NaN()));
  static_assert(gives(when_finite{}.at(now, 0)(of(8)), 8));
  constexpr double infinity = std::numeric_limits<double>::infinity();
  static_assert(!skip_large_updates{1e300}.proceeds(infinity) && skip_large_updates{1e300}.proceeds(1e300));
  static_assert(!skip_large_updates{2.0}.proceeds(std::numeric_limits<double>::quiet_NaN()));
  static_assert(report_gradient_norm{}.reduce(now)(of(-3)) == 9);
  static_assert(gives(report_gradient_norm{}.at(now, 9)(of(-3)), -3));
  constexpr context lossy{.loss = 3};
  static_assert(gives(scale_by_polyak{.minimum = 1}.at(lossy, 8)(of(4)), 1));
  static_assert(gives(scale_by_polyak{.minimum = 1, .longest = 0.125}.at(lossy, 8)(of(4)), 0.5));
  static_assert(gives(scale_by_polyak{.minimum = 4}.at(lossy, 8)(of(4)), 0));
}

TEST_CASE("by hand: orthogonalize_update's scale rules and steps") {
  static_assert(factor(spectral{}, 8, 2) == 2);
  static_assert(factor(spectral{}, 2, 8) == 1);
  static_assert(factor(match_rms{0.25}, 16, 4) == 1);
  static_assert(factor(match_rms{0.25}, 4, 16) == 1);
  static_assert(near(factor(match_rms{}, 9, 4), 0.6));
  static_assert(factor(unit_rms_norm{}, 8, 2) == 2 && factor(unit_rms_norm{}, 2, 8) == 0.5);
  static_assert(factor(none{}, 8, 2) == 1 && factor(nuclear_norm{}, 8, 2) == 1);

  static_assert(jordan.step(0).a == 3.4445 && jordan.step(4).b == -4.7750 && jordan.step(99).c == 2.0315);
  static_assert(deepseek_v4.step(7).a == 3.4445 && deepseek_v4.step(8).a == 2 && deepseek_v4.step(99).b == -1.5);
  static_assert(heavyball.step(2).a == 3.7418 && heavyball.step(7).a == 2.8366);
  // 1.01, its cube and its fifth power, in all but the last
  static_assert(near(polar_express.step(0).a * 1.01, 8.28721201814563));
  static_assert(near(polar_express.step(3).b * 1.030301, -2.488488024314874));
  static_assert(near(polar_express.step(1).c * 1.0510100501, 0.5448431082926601));
  static_assert(polar_express.step(4).a == 2.300652019954817 && polar_express.step(5).a == 2.300652019954817);
}

TEST_CASE("by hand: schedules and decays") {
  const auto lr = [](const auto& schedule, long step) { return schedule.at(context{.step = step, .lr = 8}).lr; };
  static_assert(near(lr(exponential{.steps = 2}, 1), 8) && near(lr(exponential{.steps = 2}, 5), 2));
  static_assert(near(lr(exponential{.steps = 1, .by = 0.25, .least = 0.125}, 9), 1));
  static_assert(near(lr(reciprocal{.steps = 2}, 1), 8) && near(lr(reciprocal{.steps = 2}, 3), 4) && near(lr(reciprocal{.steps = 2}, 7), 2));
  // Up in steps 1 to 3, at the top in step 3, down to the last of nine: halfway in step 6.
  constexpr one_cycle cycle{.steps = 9, .rise = 1.0 / 3, .initial = 0.25, .final = 0.125};
  static_assert(near(lr(cycle, 1), 2) && near(lr(cycle, 2), 5) && near(lr(cycle, 3), 8) && near(lr(cycle, 6), 4.5));
  static_assert(near(lr(cycle, 9), 1) && near(lr(cycle, 99), 1));
  static_assert(near(lr(one_cycle{.steps = 1}, 1), 8) && near(lr(one_cycle{.steps = 4, .rise = 1, .initial = 0}, 4), 8));

  const auto decay = [](const auto& t, double at_lr) { return t.at(context{.lr = at_lr, .weight_decay = 3}).weight_decay; };
  static_assert(near(decay(scale_weight_decay{}, 0.5), 1.5) && near(decay(scale_weight_decay{.of = 2}, 1), 1.5));
  static_assert(about(decay(scale_weight_decay{.power = -1}, 0.25), 12));  // times lr is 3
  static_assert(decay(scale_weight_decay{.power = -1}, 0) == 0);

  const auto beta = [](long step) {
    return *anneal_beta{.steps = 4, .first = 0.5, .last = 0.875}.at(context{.step = step}).heard<interpolation_beta>();
  };
  static_assert(about(beta(2), 0.75) && about(beta(4), 0.875) && about(beta(99), 0.875));  // 1 - √(½·⅛)
  const auto share = [](long step, double c) {
    return average_from{.steps = 3}.at(context{.step = step, .average_weight = c}).average_weight;
  };
  static_assert(share(3, 0.25) == 1 && share(4, 0.25) == 0.25 && share(1, 0) == 0);
}

TEST_CASE("by hand: what was added to the vocabulary") {
  // m = 4, (8 - 4)² = 16: s = 8 + ¼, over 1 - ½: √16.5
  static_assert(gives(scale_by_belief{.beta1 = 0.5, .beta2 = 0.5, .epsilon = 0.25}.at(context{.step = 1})(of(8), 0.0, 0.0),
                      8 / (sqrt(16.5) + 0.25), 4, 8.25));
  // u² = 4 below v = 8: v = 8 - ½·4 = 6, over 1 - ½ = 12; m̂ = 2
  static_assert(gives(scale_by_yogi{.beta1 = 0.5, .beta2 = 0.5, .epsilon = 0.5}.at(context{.step = 1})(of(2), 0.0, 8.0),
                      2 / (sqrt(12.0) + 0.5), 1, 6));
  // max(½·8, 2 + 1)
  static_assert(gives(scale_by_adamax{.beta1 = 0.5, .beta2 = 0.5, .epsilon = 0.5}.at(context{.step = 1})(of(2), 0.0, 8.0), 0.5, 1, 4));
  // v = ½·8 + ½·4 = 6; √(3 + ¼)/√(6 + ¼)·2
  static_assert(gives(scale_by_adadelta{.rho = 0.5, .epsilon = 0.25}.at(now)(of(2), 8.0, 3.0), 2 * sqrt(3.25) / 2.5, 6,
                      0.5 * 3 + 0.5 * 4 * 3.25 / 6.25));
  // m = 4, v = 32: 8/(√16 + 1)
  static_assert(gives(scale_by_deviation{.beta = 0.5, .epsilon = 0.5}.at(now)(of(8), 0.0, 0.0), 8 / 4.5, 4, 32));
  static_assert(gives(scale_by_rprop{}.at(now)(of(-3), -1.0, 0.5), -0.6, -3, 0.6));
  static_assert(gives(scale_by_rprop{}.at(now)(of(3), -1.0, 0.5), 0, 0, 0.25));
  static_assert(gives(optimistic_gradient{}.at(now)(of(3), 1.0), 5, 3));
  static_assert(gives(decay_towards_anchor{.beta = 0.5}.at(context{.weight_decay = 0.5})(of(3, 8), 4.0), 5, 6));
  // θ = (3, 4), u = (1, 0): p = (1, 0) - 3/25·(3, 4) = (0.64, -0.48), of length 0.8; times 1/0.8
  static_assert(gives(orthogonal_to_parameter{}.at(now, 25, 3, 1)(of(1, 3)), 0.8));
  static_assert(gives(orthogonal_to_parameter{}.at(now, 25, 3, 1)(of(0, 4)), -0.6));
  static_assert(gives(orthogonal_to_parameter{}.at(now, 25, 50, 100)(of(6, 3)), 0));  // of θ's direction
  static_assert(gives(orthogonal_to_parameter{}.at(now, 0, 0, 1)(of(1, 0)), 1));
  static_assert(skip_large_updates{2.0}.proceeds(4) && !skip_large_updates{2.0}.proceeds(4.5));
}

namespace {

// What is returned with new scalars: these.
template <class Kernel, class... Scalars>
constexpr bool learns(const next_t<Kernel, Scalars...>& r, std::type_identity_t<Scalars>... scalars) {
  return std::apply([&](auto... s) { return (about(s, scalars) && ...); }, r.states);
}

}  // namespace

TEST_CASE("by hand: learning rates that are learned") {
  // From 5 to 8: sums of 4², 3² and 5²
  constexpr auto sums = scale_by_dog{}.reduce(now, 0, 0)(of(4, 8), 5.0);
  static_assert(sums[0] == 16 && sums[1] == 9 && sums[2] == 25);
  // The way is 3, which is more than the 2 before, and than ½·(1 + 1); G = 9 + 16 - ε + ε: 10·3/5
  constexpr auto dog = scale_by_dog{.initial = 0.5, .epsilon = 1e-30}.at(now, 16, 9, 1, 2, 9);
  static_assert(learns(dog, 3, 25) && gives(dog.value(of(10), 5.0), 6, 5));
  // Not yet gone: ½·(1 + 5)
  static_assert(learns(scale_by_dog{.initial = 0.5}.at(now, 16, 0, 25, 0, 0), 3, 16));

  constexpr context two{.step = 1, .lr = 2, .weight_decay = 0.5};
  constexpr scale_by_prodigy prodigy{.beta1 = 0.5, .beta2 = 0.25, .epsilon = 0.5, .initial = 0.25};
  // d/d₀ = 2, η = ½·2: 2·η·3·(5 - 1) and |½·1 + 2·η·3|
  constexpr auto terms = prodigy.reduce(two, 0.5, 0, 0, 0.25)(of(3, 1), 5.0, 0.0, 0.0, 1.0);
  static_assert(terms[0] == 24 && terms[1] == 6.5);
  // r = ½·4 + 6 = 8, d' = 8/8 = 1. m = ½·2 + ½·6 = 4, v = ¼·16 + ¾·36 = 31: ½·(4/(√31 + ½·4) + ½·8), s = ½·1 + 6
  constexpr auto learned = prodigy.at(two, 6, 8, 0.5, 0.5, 4, 0.25);
  static_assert(learns(learned, 1, 1, 8, 0.25));
  static_assert(gives(learned.value(of(3, 8), 5.0, 2.0, 16.0, 1.0), 0.5 * (4 / (sqrt(31.0) + 2) + 4), 5, 4, 31, 6.5));
  static_assert(prodigy.pass_on(two).weight_decay == 0);
  // No gradient but 0: nothing is learned. lr is 0: nothing moves.
  static_assert(learns(prodigy.at(two, 0, 0, 0.5, 0.5, 4, 0.25), 0.5, 0.5, 4, 0.25));
  static_assert(gives(prodigy.at(context{}, 0, 0, 0.5, 0.5, 4, 0.25).value(of(3, 8), 5.0, 2.0, 16.0, 1.0), 0.5 * 2 / 5, 5, 2, 16, 1));

  // m = ½·2 + ½·4 = 3: 9, 3·8 and 4·8
  constexpr scale_by_momo momo{.beta = 0.5, .minimum = 1};
  constexpr auto products = momo.reduce(now, 0, 0, 1)(of(4, 8), 2.0);
  static_assert(products[0] == 9 && products[1] == 24 && products[2] == 32);
  static_assert(momo.reduce(now, 0, 0, 0)(of(4, 8), 2.0)[0] == 16);  // the first step's is the gradient
  // f = ½·5 + ½·3 = 4, q = ½·4 + ½·8 = 6: (4 - 6 - 1) + 12 = 9 over 36; lr is 1
  constexpr context lossy{.lr = 1, .loss = 3};
  constexpr auto step = momo.at(lossy, 36, 12, 8, 5, 4, 1);
  static_assert(learns(step, 4, 6, 2) && gives(step.value(of(4), 2.0), 0.75, 3));
  static_assert(gives(momo.at(lossy, 1, 12, 8, 5, 4, 1).value(of(4), 2.0), 3, 3) && gives(momo.at(lossy, 36, 0, 8, 5, 4, 1).value(of(4), 2.0), 0, 3));

  // h = 3 + ½·S·2/(4)·2 with S = 6·¼: 3.75, held within 2. Of the last scale, nearly: m = 3.75, v = h², r = 2·¼
  constexpr auto mechanic = [] {
    constexpr double s = 0.25, m = 2;
    return update_by_mechanic{.initial = 6, .decay = 0.5, .epsilon = 1e-18}.at(context{.lr = 2, .weight_decay = 0.25}, 3.0, 2.0, 4.0, 16.0, s, s, s, s, s, s, m, m,
                                                         m, m, m, m, 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0., 0.);
  }();
  static_assert(about(std::get<11>(mechanic.states), 3.75) && about(std::get<17>(mechanic.states), 14.0625));
  static_assert(about(std::get<23>(mechanic.states), 0.5) && about(std::get<5>(mechanic.states), (3.75 + 0.5) / 3.75));
  // w = 1 + 2·3 + 2·¼·8 = 11: a - S·11
  static_assert(about(mechanic.value(of(3, 8), 100.0, 1.0).parameter, 100 - 6 * 11 * (3.75 + 0.5) / 3.75));
}

TEST_CASE("by hand: Schedule-Free with Polyak's step") {
  constexpr update_by_schedule_free_polyak half{.beta = 0.5};
  // |g| and ½·g·(z - x)
  constexpr auto sums = half.reduce(now, 0, 0)(of(-3, 2), 8.0, 4.0);
  static_assert(sums[0] == 3 && sums[1] == -6);
  // α = ½·(3 + 1)/2 = 1: z = 8 - 3 - ¼·2, x = ¾·4 + ¼·z, y in the middle
  constexpr double root = 1.2533141373155003;
  constexpr context lossy{.lr = 0.5, .weight_decay = 0.25, .loss = 3, .average_weight = 0.25};
  constexpr auto step = half.at(lossy, 2 / root, 1, 0, 0);
  static_assert(learns(step, 2, 1) && gives(step.value(of(3, 2), 8.0, 4.0), 4.3125, 4.5, 4.125));
  // e = ½·2 + ½·3 of a share of ¾: α = ½·4·¾/2.5 = 0.6
  constexpr auto slow = update_by_schedule_free_polyak{.beta = 0.5, .norm_beta = 0.5}.at(lossy, 2 / root, 1, 3, 0.5);
  static_assert(learns(slow, 2.5, 0.75) && gives(slow.value(of(3, 0), 8.0, 6.2), 6.2, 6.2, 6.2));
  // The loss is below the plane at x, or nothing has a gradient: z stands still. lr is 0: nothing moves.
  static_assert(gives(half.at(lossy, 2, -4, 0, 0).value(of(3, 2), 8.0, 4.0), 6.5, 8, 5));
  static_assert(gives(half.at(lossy, 0, 0, 0, 0).value(of(0, 2), 8.0, 4.0), 6.5, 8, 5));
  static_assert(gives(half.at(context{.loss = 3, .average_weight = 0}, 2, 1, 0, 0).value(of(3, 2), 8.0, 4.0), 2, 8, 4));
  // A number that is not finite appears in the parameter, and is not learned.
  const auto bad = half.at(lossy, std::numeric_limits<double>::infinity(), 1, 5, 0.5);
  CHECK(learns(bad, 5, 0.5));
  CHECK(!is_finite(bad.value(of(3, 2), 8.0, 4.0).parameter));
  // 1-β halfway from ½ to ⅛: ¼
  constexpr update_by_schedule_free_polyak rising{.beta = 0.5, .steps = 2, .last_beta = 0.875};
  static_assert(about(rising.reduce(context{.step = 1}, 0, 0)(of(4), 3.0, 1.0)[1], 6));
  static_assert(about(rising.reduce(context{.step = 9}, 0, 0)(of(4), 3.0, 1.0)[1], 7));
  static_assert(half.average(1, 1)(of(0), 8.0, 4.0) == 4);
}
