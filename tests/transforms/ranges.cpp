// The ranges of all hyper-parameters, written down a second time: the suite refuses what lies outside of them, but
// cannot know whether they are the right ones.
#include <string>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

using namespace thalweg;

namespace {

template <has_fields Owner>
std::string ranges() {
  std::string text;
  for_each_field<Owner>([&](const auto& field) {
    text += (text.empty() ? "" : ", ") + std::string(field.name);
    if constexpr (std::is_arithmetic_v<typename std::remove_cvref_t<decltype(field)>::value_type>)
      text += " " + to_text(field.allowed);
  });
  return text;
}

}  // namespace

TEST_CASE("every hyper-parameter has the range that its header states") {
  CHECK(ranges<amuse_beta>() == "beta1 [0.001, 1], rho [0, inf), beta1_steps [2, inf)");
  CHECK(ranges<clip_by_global_norm>() == "max_norm (0, inf)");
  CHECK(ranges<coefficient_set>() == "count [1, 32]");
  CHECK(ranges<polar_express_for>() == "lower [1e-15, 1)");
  CHECK(ranges<cans_for>() == "lower [1e-15, 1), degree");
  CHECK(ranges<polynomials>() == "steps, margin [1, 2]");
  CHECK(ranges<anneal_beta>() == "steps [1, inf), first [0.001, 1), last [0.001, 1)");
  CHECK(ranges<average_from>() == "steps [1, inf)");
  CHECK(ranges<decay_towards_anchor>() == "beta [0, 1]");
  CHECK(ranges<decorrelate_rows>() == "passes [1, 100], scale");
  CHECK(ranges<exponential>() == "steps [1, inf), by (0, 1], least [0, 1]");
  CHECK(ranges<one_cycle>() == "steps [1, inf), rise [0, 1], initial [0, 1], final [0, 1]");
  CHECK(ranges<optimistic_gradient>() == "alpha [0, inf), beta [0, inf)");
  CHECK(ranges<orthogonalize_low_rank>() == "fraction (0, 1], keep [0, 1), scale, epsilon [0, 1), seed [0, inf)");
  CHECK(ranges<orthogonalize_rows>() ==
        "fraction (0, 1], keep [0, 1), choice, scale, coefficients, steps [1, 100], epsilon [0, 1), precision");
  CHECK(ranges<reciprocal>() == "steps [1, inf)");
  CHECK(ranges<scale_by_adadelta>() == "rho [0, 1), epsilon [1e-36, 1)");
  CHECK(ranges<scale_by_adamax>() == "beta1 [0, 1), beta2 [0, 1), epsilon [1e-36, 1)");
  CHECK(ranges<scale_by_belief>() == "beta1 [0, 1), beta2 [0, 1), epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_deviation>() == "beta [0, 1), epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_layer_norm>() == "beta2 [0, 1), epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_rprop>() == "initial (0, inf), longer (1, inf), shorter (0, 1), least (0, inf), longest (0, inf)");
  CHECK(ranges<scale_by_sm3>() == "epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_yogi>() == "beta1 [0, 1), beta2 [0, 1), epsilon [1e-18, 1), initial [0, inf)");
  CHECK(ranges<scale_weight_decay>() == "power [-1, 2], of (0, inf)");
  CHECK(ranges<skip_large_updates>() == "max_norm (0, inf), limit [0, inf)");
  CHECK(ranges<when_finite>() == "limit [0, inf)");
  CHECK(ranges<accumulate>() == "steps [1, inf)");
  CHECK(ranges<cosine_restarts>() == "steps [1, inf), growth [1, inf), final [0, 1]");
  CHECK(ranges<forgetting>() == "beta [0, 1)");
  CHECK(ranges<inverse_sqrt>() == "steps [1, inf)");
  CHECK(ranges<reduce_on_plateau>() == "by (0, 1), patience [0, inf), tolerance [0, 1), least [0, 1]");
  CHECK(ranges<scale_by_polyak>() == "minimum (-inf, inf), longest (0, inf)");
  CHECK(ranges<scale_by_dog>() == "initial (0, inf), epsilon [1e-36, 1)");
  CHECK(ranges<scale_by_layer_dog>() == "initial (0, inf), epsilon [1e-36, 1)");
  CHECK(ranges<scale_by_momo>() == "beta [0, 1), minimum (-inf, inf)");
  CHECK(ranges<scale_by_momo_adam>() == "beta1 [0, 1), beta2 [0, 1), epsilon [1e-18, 1), minimum (-inf, inf)");
  CHECK(ranges<scale_by_prodigy>() ==
        "beta1 [0, 1), beta2 [0, 1), beta3 [0, 1), epsilon [1e-18, 1), initial (0, inf), coefficient (0, inf), growth [1, inf), bias, "
        "weight");
  CHECK(ranges<update_by_mechanic>() == "initial (0, inf), decay [0, inf), epsilon [1e-18, 1)");
  CHECK(ranges<update_by_schedule_free_polyak>() == "beta [0, 1), steps [1, inf), last_beta [0, 1), norm_beta [0, 1)");
  CHECK(ranges<update_and_average>() == "memory");
  CHECK(ranges<update_by_lookahead>() == "alpha (0, 1], period [1, inf)");
  CHECK(ranges<update_by_primal_averaging>() == "mu_x [0, 1), mu_y [0.001, 1]");
  CHECK(ranges<cosine>() == "steps [1, inf), final [0, 1]");
  CHECK(ranges<ema>() == "beta [0, 1)");
  CHECK(ranges<heavyball_momentum>() == "beta [0, 1)");
  CHECK(ranges<linear>() == "steps [1, inf), final [0, 1]");
  CHECK(ranges<match_rms>() == "rms (0, inf)");
  CHECK(ranges<nesterov_ema>() == "beta [0, 1), look_ahead");
  CHECK(ranges<nesterov_momentum>() == "beta [0, 1)");
  CHECK(ranges<orthogonalize_update>() == "scale, coefficients, steps [1, 100], epsilon [0, 1), precision, norm");
  CHECK(ranges<scale>() == "by (-inf, inf)");
  CHECK(ranges<add_noise>() == "variance [0, inf), fading [0, inf), seed [0, inf)");
  CHECK(ranges<cautious>() == "rule");
  CHECK(ranges<clip_adaptively>() == "clipping (0, inf), epsilon (0, 1)");
  CHECK(ranges<clip_by_rms>() == "max_rms (0, inf)");
  CHECK(ranges<clip_by_value>() == "limit (0, inf)");
  CHECK(ranges<scale_by_adan>() == "beta1 [0, 1), beta2 [0, 1), beta3 [0, 1), epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_factored_rms>() == "decay (0, 1], epsilon [1e-36, 1)");
  CHECK(ranges<scale_by_parameter_rms>() == "floor [0, inf)");
  CHECK(ranges<scale_by_row_rms>() == "beta2 [0, 1), epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_shampoo>() == "beta (0, 1], epsilon [1e-36, 1), period [1, inf)");
  CHECK(ranges<scale_by_psgd_kron>() ==
        "rate (0, 1), flat [1, inf), fading (0, inf), least (0, 1], longest [1, inf), seed [0, inf)");
  CHECK(ranges<scale_by_soap>() ==
        "beta1 [0, 1), beta2 [0, 1), epsilon [1e-18, 1), preconditioner_beta [0, 1), period [1, inf), sides");
  CHECK(ranges<change>() == "from [1, inf), by [0, inf)");
  CHECK(ranges<scale_by_trust_ratio>() == "trust (0, inf)");
  CHECK(ranges<scale_to_rms>() == "rms (0, inf)");
  CHECK(ranges<clip_by_norm>() == "max_norm (0, inf)");
  CHECK(ranges<mars>() == "gamma [0, inf), beta1 [0, 1)");
  CHECK(ranges<rectify_lr>() == "beta2 (0.6, 1)");
  CHECK(ranges<scale_by_adam>() == "beta1 [0, 1), beta2 [0, 1), epsilon [0, 1), floor [0, 1)");
  CHECK(ranges<scale_by_ademamix>() ==
        "beta1 [0, 1), beta2 [0, 1), beta3 [0, 1), alpha [0, inf), epsilon [0, 1), floor [0, 1), rise [1, inf)");
  CHECK(ranges<scale_by_adopt>() == "beta1 [0, 1), beta2 [0, 1), epsilon [1e-18, 1), start");
  CHECK(ranges<scale_by_amsgrad>() == "beta1 [0, 1), beta2 [0, 1), epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_laprop>() == "beta1 [0, 1), beta2 [0, 1), epsilon [0, 1), floor [0, 1)");
  CHECK(ranges<scale_by_nadam>() == "beta1 [0, 1), beta2 [0, 1), epsilon [1e-18, 1), momentum_decay [0, inf)");
  CHECK(ranges<scale_by_radam>() == "beta1 [0, 1), beta2 [0, 1), epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_exp_avg_sq>() == "beta2 [0, 1), epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_lion>() == "beta1 [0, 1), beta2 [0, 1)");
  CHECK(ranges<scale_by_rms>() == "beta [0, 1), epsilon [1e-18, 1)");
  CHECK(ranges<scale_by_rss>() == "initial [0, inf), epsilon [1e-18, 1)");
  CHECK(ranges<scale_lr>() == "by [0, inf)");
  CHECK(ranges<refined_weight>() == "window (0, inf)");
  CHECK(ranges<update_by_schedule_free>() == "beta [0, 1], decay, weight, decay_at_y [0, inf)");
  CHECK(ranges<warmup>() == "steps [1, inf)");
  CHECK(ranges<warmup_stable_decay>() == "warmup_steps [1, inf), steps [1, inf), decay_steps [1, inf), final [0, 1]");
}

TEST_CASE("what float cannot hold is refused for float alone, also inside a combinator") {
  const auto refusal = []<class T>(T, const auto& chain) -> std::string {
    std::vector<T> values(6);
    try {
      optimizer(chain, std::vector{as_parameter("w", values, {2, 3})}, {});
      return "";
    } catch (const error& e) {
      return e.what();
    }
  };
  const std::string epsilon =
      "[clip_adaptively] Expected epsilon in (0, 1) when rounded to float32 as well. Received 1e-50.";
  const clip_adaptively tiny{.epsilon = 1e-50};
  CHECK(refusal(0.0f, tiny) == epsilon);
  CHECK(refusal(0.0, tiny) == "");
  CHECK(refusal(0.0f, parallel(ensemble{}, chain(tiny), ema{})) == epsilon);
  CHECK(refusal(0.0f, in_row_blocks(2, equalize_rows{}) | ema{.beta = 0.999999999}) ==
        "[ema] Expected beta in [0, 1) when rounded to float32 as well. Received 0.999999999.");
  CHECK(refusal(0.0f, in_row_blocks(2, clip_adaptively{.epsilon = 1e-60})).starts_with("[clip_adaptively] Expected epsilon"));
  CHECK(refusal(0.0f, scale{.by = 1e300}) == "");  // finite as the largest float
}
