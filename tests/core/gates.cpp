// Steps that are skipped, gathered, or refused because the loss is missing; and their reports.
#include <cmath>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "model.hpp"

using namespace thalweg;
using test::model;

namespace {

const std::vector<test::layer> layers{{"w", {5, 9}}, {"b", {3}}, {"large", {300, 301}}};

struct times_loss {
  using reads = loss_of_step;
  constexpr auto at(const context& c) const {
    return [by = c.loss.value_or(0)]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};

template <class T>
bool same(const model<T>& a, const model<T>& b) {
  return a.values == b.values;
}

}  // namespace

TEST_CASE("when_finite skips a step and says for whose sake") {
  for (const double spoiled : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    model<float> with(layers), without(layers);
    auto chain = scale_by_adam{} | clip_by_global_norm{.max_norm = 0.5} | update_by_schedule_free{};
    auto guarded = optimizer(when_finite{} | chain, with.parameters(), {.lr = 0.1, .warmup_steps = 3});
    auto plain = optimizer(chain, without.parameters(), {.lr = 0.1, .warmup_steps = 3});
    for (long t = 1; t <= 6; ++t) {
      with.differentiate(t);
      without.differentiate(t);
      const auto good = guarded.step(with.gradients);
      CHECK(good.taken);
      CHECK(good.parameter.empty());
      plain.step(without.gradients);
      CHECK(same(with, without));

      with.gradients[2][77777] = static_cast<float>(spoiled);
      const auto bad = guarded.step(with.gradients);
      CHECK(!bad.taken);
      CHECK(bad.parameter == "large");
      CHECK(guarded.steps() == t);
      CHECK(same(with, without));
    }
  }
}

TEST_CASE("when_finite: a sum that overflows is finite") {
  model<float> m(layers);
  auto opt = optimizer(when_finite{} | scale_by_sign{}, m.parameters(), {.lr = 0.1});
  for (auto& gradient : m.gradients)
    for (auto& g : gradient) g = std::numeric_limits<float>::max();
  CHECK(opt.step(m.gradients).taken);
}

TEST_CASE("accumulate takes one step for n gradients") {
  model<double> gathered(layers), mean(layers);
  const auto chain = route(when(hidden_matrix, nesterov_ema{}), otherwise(scale_by_exp_avg_sq{.epsilon = 1e-8})) |
                     amuse_beta{} | update_by_schedule_free{};
  const options o{.lr = 0.1, .weight_decay = 0.1, .warmup_steps = 2};
  auto few = optimizer(accumulate{.steps = 4} | chain, gathered.parameters(), o);
  auto plain = optimizer(chain, mean.parameters(), o);
  for (long t = 1; t <= 20; ++t) {
    auto sum = mean.gradients;
    for (auto& gradient : sum)
      for (auto& g : gradient) g = 0;
    for (long part = 1; part <= 4; ++part) {
      gathered.differentiate(4 * t + part);
      for (std::size_t i = 0; i < sum.size(); ++i)
        for (std::size_t j = 0; j < sum[i].size(); ++j) sum[i][j] += gathered.gradients[i][j] / 4;
      const auto before = gathered.values;
      const auto report = few.step(gathered.gradients);
      CHECK(report.taken == (part == 4));
      CHECK((gathered.values == before) == (part < 4));
    }
    plain.step(sum);
    CHECK(few.steps() == t);
    for (std::size_t i = 0; i < sum.size(); ++i)
      for (std::size_t j = 0; j < sum[i].size(); j += 7)
        REQUIRE(gathered.values[i][j] == doctest::Approx(mean.values[i][j]).epsilon(1e-12));
  }
  const auto x = few.evaluation_point();
  const auto y = plain.evaluation_point();
  CHECK(gathered.values[0][3] == doctest::Approx(mean.values[0][3]).epsilon(1e-11));
}

TEST_CASE("accumulate{1} is nothing; unfused and fused agree") {
  model<float> one(layers), none(layers), slow(layers);
  auto a = optimizer(accumulate{.steps = 1} | scale_by_adam{}, one.parameters(), {.lr = 0.1});
  auto b = optimizer(scale_by_adam{}, none.parameters(), {.lr = 0.1});
  auto c = optimizer(unfused(accumulate{.steps = 1} | scale_by_adam{}), slow.parameters(), {.lr = 0.1});
  for (long t = 1; t <= 5; ++t) {
    a.step(one.gradients), b.step(none.gradients), c.step(slow.gradients);
    CHECK(same(one, none));
  }
  CHECK(slow.values[0][0] == doctest::Approx(one.values[0][0]));
}

TEST_CASE("accumulate behind when_finite leaves out what is not finite") {
  model<double> m(layers), clean(layers);
  auto guarded = optimizer(when_finite{} | accumulate{.steps = 2} | ema{}, m.parameters(), {.lr = 0.1});
  auto plain = optimizer(accumulate{.steps = 2} | ema{}, clean.parameters(), {.lr = 0.1});
  const auto good = m.gradients;
  for (long t = 1; t <= 8; ++t) {
    m.gradients = good;
    guarded.step(m.gradients);
    plain.step(clean.gradients);
    m.gradients[1][2] = NAN;
    CHECK(guarded.step(m.gradients).parameter == "b");
    CHECK(same(m, clean));
  }
}

TEST_CASE("a transform that reads the loss refuses a step without it") {
  model<double> m(layers);
  auto opt = optimizer(scale_by_polyak{}, m.parameters(), {.lr = 1});
  const auto before = m.values;
  CHECK_THROWS_WITH_AS(opt.step(m.gradients),
                       "[scale_by_polyak] Expected a loss with the gradients. Received none.",
                       error);
  CHECK(m.values == before);
  CHECK(opt.steps() == 0);
  opt.step(m.gradients, {.loss = 0.5});
  CHECK(opt.steps() == 1);
}

TEST_CASE("scale_by_polyak: loss/‖g‖² of the gradient, at most `longest`") {
  std::vector<double> theta{1, 2};
  auto opt = optimizer(scale_by_polyak{.minimum = 1, .longest = 0.25}, std::vector{as_parameter("w", theta)},
                       {.lr = 1});
  opt.step({std::vector<double>{3, 4}}, {.loss = 3.5});  // (3.5 - 1)/25
  CHECK(theta[0] == doctest::Approx(1 - 0.1 * 3));
  CHECK(theta[1] == doctest::Approx(2 - 0.1 * 4));
  opt.step({std::vector<double>{1, 0}}, {.loss = 3.5});  // 2.5/1
  CHECK(theta[0] == doctest::Approx(0.7 - 0.25));
  opt.step({std::vector<double>{1, 0}}, {.loss = 0.5});  // below the minimum
  CHECK(theta[0] == doctest::Approx(0.45));
}

TEST_CASE("reduce_on_plateau") {
  std::vector<double> theta{0};
  auto opt = optimizer(reduce_on_plateau{.by = 0.5, .patience = 1, .tolerance = 0.1, .least = 0.2},
                       std::vector{as_parameter("w", theta)}, {.lr = 1});
  const auto rate = [&](double loss) {
    const double before = theta[0];
    opt.step({std::vector<double>{1}}, {.loss = loss});
    return before - theta[0];
  };
  const double losses[] = {1, 0.8, 0.75, 0.75, 0.6, 0.6, 0.6, 0.6, 0.6};
  const double rates[] = {1, 1, 1, 0.5, 0.5, 0.5, 0.25, 0.25, 0.2};
  for (std::size_t t = 0; t < std::size(losses); ++t) {
    CAPTURE(t);
    CHECK(rate(losses[t]) == doctest::Approx(rates[t]));
  }
}

TEST_CASE("freeze and tap") {
  model<float> m(layers), plain(layers);
  std::vector<std::string> seen;
  auto looking = tap([&](const context& c, tensor<const float> u) noexcept {
    if (c.step == 2) seen.push_back(std::string(u.name) + to_text(u.shape));
  });
  auto opt = optimizer(route(when([](const parameter_info& p) { return p.name == "b"; }, freeze{}),
                             otherwise(ema{} | looking | scale{.by = 2} | apply_update{})),
                       m.parameters(), {.lr = 0.1, .weight_decay = 0.1, .parallel = {}});
  auto other = optimizer(ema{} | scale{.by = 2}, plain.parameters(), {.lr = 0.1, .weight_decay = 0.1});
  const auto frozen = m.values[1];
  for (long t = 1; t <= 3; ++t) opt.step(m.gradients), other.step(plain.gradients);
  CHECK(m.values[1] == frozen);
  CHECK(m.values[0] == plain.values[0]);
  CHECK(m.values[2] == plain.values[2]);
  CHECK(seen.size() == 2);
  CHECK((seen[0] == "w(5, 9)" || seen[1] == "w(5, 9)"));
}

TEST_CASE("a parameter's own learning rate is a route of scale_lr") {
  model<double> m(layers), plain(layers);
  const auto is_bias = [](const parameter_info& p) { return p.name == "b"; };
  auto opt = optimizer(route(when(is_bias, scale_lr{.by = 2}), otherwise()) | ema{}, m.parameters(), {.lr = 0.1});
  auto other = optimizer(ema{}, plain.parameters(), {.lr = 0.2});
  opt.step(m.gradients), other.step(plain.gradients);
  CHECK(m.values[1] == plain.values[1]);
  CHECK(m.values[0] != plain.values[0]);
}

TEST_CASE("behind accumulate the gradient and the loss are the means") {
  // `cautious` compares with the gradient, on the other side of a barrier as well; the last call's points elsewhere.
  for (const bool barrier : {false, true}) {
    CAPTURE(barrier);
    std::vector<double> theta{0, 0, 0}, plain = theta;
    const auto train = [&](const auto& chain, std::vector<double>& values, const std::vector<std::vector<double>>& calls) {
      auto opt = optimizer(chain, std::vector{as_parameter("w", values, {1, 3})}, {.lr = 1});
      for (int cycle = 0; cycle < 2; ++cycle)
        for (const auto& g : calls) opt.step({g}, {.loss = g[0]});
    };
    const std::vector<std::vector<double>> calls{{6, -1, 3}, {-2, -3, -1}}, mean{{2, -2, 1}};
    if (barrier) {
      const auto rest = ema{.beta = 0.5} | equalize_rows{} | cautious{} | scale_by_polyak{.longest = 0.5};
      train(accumulate{.steps = 2} | rest, theta, calls);
      train(rest, plain, mean);
    } else {
      const auto rest = ema{.beta = 0.5} | cautious{} | scale_by_polyak{.longest = 0.5};
      train(accumulate{.steps = 2} | rest, theta, calls);
      train(rest, plain, mean);
    }
    CHECK(theta == plain);
    CHECK(theta[0] != 0);
  }
}

TEST_CASE("a loss that is not finite is skipped behind when_finite, else refused, before anything is written") {
  for (const double loss : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
    std::vector<double> theta{1, 2};
    const auto parameters = std::vector{as_parameter("w", theta)};
    auto guarded = optimizer(when_finite{} | scale_by_polyak{}, parameters, {.lr = 1});
    auto bare = optimizer(scale_by_polyak{}, parameters, {.lr = 1});
    auto indifferent = optimizer(chain(scale{.by = 0}), parameters, {.lr = 1});
    const std::vector<double> g{1, 1};
    const auto report = guarded.step({g}, {.loss = loss});
    CHECK(!report.taken);
    CHECK(report.parameter.empty());
    CHECK_THROWS_WITH_AS(bare.step({g}, {.loss = loss}),
                         ("[scale_by_polyak] Expected a finite loss. Received " + to_text(loss) +
                          ". A chain that begins with when_finite skips such steps.").c_str(), error);
    CHECK(indifferent.step({g}, {.loss = loss}).taken);
    CHECK(theta == std::vector<double>{1, 2});
    CHECK(guarded.steps() == 0);
    CHECK(bare.steps() == 0);
  }
}

TEST_CASE("a transform that reads the loss is found inside combinators") {
  std::vector<double> theta{1, 2};
  const auto refusal = [&](const auto& c) -> std::string {
    auto opt = optimizer(c, std::vector{as_parameter("w", theta)}, {});
    try {
      opt.step({std::vector<double>{1, 1}});
      return "";
    } catch (const error& e) {
      return e.what();
    }
  };
  CHECK(refusal(parallel(ensemble{}, times_loss{} | ema{}, ema{})).starts_with("[parallel] Expected a loss"));
  CHECK(refusal(parallel(ensemble{}, ema{}, ema{})) == "");
}

namespace {

/// What a chain reports of a step on the gradients 3, 0, -4 in one parameter and 12 in another.
step_report report_of(std::string_view chain, options o = {.lr = 0.5}, long steps = 1) {
  std::vector<float> w{1, 2, 3}, b{4};
  const std::vector<std::vector<float>> gradients{{3, 0, -4}, {12}};
  auto opt = optimizer(chain, std::vector{as_parameter("w", w), as_parameter("b", b)}, o);
  step_report report;
  for (long t = 1; t <= steps; ++t) report = opt.step(gradients);
  return report;
}

}  // namespace

TEST_CASE("a step reports the gradients' norm where its chain measures it") {
  for (const char* chain :
       {"report_gradient_norm | adam", "clip_by_global_norm(max_norm=0.5) | adam", "when_finite | clip_by_global_norm",
        "warmup(steps=9) | when_finite | report_gradient_norm | clip_by_global_norm | update_by_schedule_free",
        "scheduled(max_norm, linear(steps=5, final=0.5), clip_by_global_norm)",
        "report_gradient_norm | route(when(is_vector, adam), otherwise())"}) {
    CAPTURE(std::string(chain));
    const auto report = report_of(chain);
    CHECK(report.taken);
    REQUIRE(report.gradient_norm);
    CHECK(*report.gradient_norm == 13);
  }
  for (const char* chain : {"adam", "ema | clip_by_global_norm", "scale(by=2) | report_gradient_norm", "clip_by_norm",
                            "route(when(is_vector, clip_by_global_norm), otherwise()) | adam"}) {
    CAPTURE(std::string(chain));
    CHECK(!report_of(chain).gradient_norm);
  }
}

TEST_CASE("behind accumulate the norm is that of the mean, and a step that is not taken reports none") {
  CHECK(!report_of("accumulate(steps=4) | report_gradient_norm", {}, 3).gradient_norm);
  CHECK(report_of("accumulate(steps=4) | report_gradient_norm", {}, 3).lr == 0);
  CHECK(report_of("accumulate(steps=4) | report_gradient_norm", {}, 4).gradient_norm == 13);

  std::vector<float> w{1};
  auto opt = optimizer("when_finite | report_gradient_norm", std::vector{as_parameter("w", w)}, {.lr = 1});
  const float nan = std::numeric_limits<float>::quiet_NaN();
  CHECK(opt.step({std::vector{-2.f}}).gradient_norm == 2);
  const auto skipped = opt.step({std::vector{nan}});
  CHECK(!skipped.gradient_norm);
  CHECK(skipped.lr == 0);
  auto unguarded = optimizer("report_gradient_norm", std::vector{as_parameter("w", w)}, {.lr = 1});
  CHECK(std::isnan(*unguarded.step({std::vector{nan}}).gradient_norm));  // as it is
}

TEST_CASE("measuring changes nothing, bit for bit, also of a parameter that is cut among threads") {
  model<float> with(layers), without(layers);
  auto measured = optimizer("report_gradient_norm | adamw", with.parameters(), {.lr = 0.1, .weight_decay = 0.1});
  auto plain = optimizer("adamw", without.parameters(), {.lr = 0.1, .weight_decay = 0.1});
  for (long t = 1; t <= 3; ++t) {
    with.differentiate(t);
    double squares = 0;
    for (const auto& g : with.gradients)
      for (const float x : g) squares += static_cast<double>(x) * x;
    CHECK(*measured.step(with.gradients).gradient_norm == doctest::Approx(std::sqrt(squares)).epsilon(1e-12));
  }
  without.train(plain, 1, 3);
  CHECK(same(with, without));
}

TEST_CASE("a step reports its lr: after the warm-up and the schedules, the largest of all routes") {
  CHECK(report_of("adam").lr == 0.5);
  CHECK(report_of("adam", {.lr = 0.5, .warmup_steps = 4}).lr == 0.125);
  CHECK(report_of("adam", {.lr = 0.5, .warmup_steps = 4}, 3).lr == 0.375);
  CHECK(report_of("linear(steps=4) | adam", {.lr = 0.5}, 3).lr == doctest::Approx(0.25));
  CHECK(report_of("route(when(is_vector, scale_lr(by=0.25)), otherwise())").lr == 0.125);

  model<float> m(layers);
  m.layers[2].lr_factor = 8;  // a parameter's own is not told
  auto opt = optimizer("route(when(is_vector, scale_lr(by=0.25)), otherwise()) | adam", m.parameters(), {.lr = 0.5});
  CHECK(opt.step(m.gradients).lr == 0.5);
  opt.lr(2);
  CHECK(opt.step(m.gradients).lr == 2);
}
