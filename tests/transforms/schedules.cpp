#include <limits>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using training::subject;
using training::suite;

namespace {

// All schedules in one chain; each leaves the learning rate alone until it is given something to do.
struct schedules {
  thalweg::warmup warmup{.steps = 1};
  thalweg::linear linear{.steps = 1, .final = 1};
  thalweg::cosine cosine{.steps = 1, .final = 1};
  thalweg::warmup_stable_decay wsd{.warmup_steps = 1, .steps = 1000, .decay_steps = 1};
  thalweg::scale_lr scale_lr{1};
  thalweg::cosine_restarts restarts{.steps = 1, .final = 1};
  thalweg::inverse_sqrt inverse_sqrt{.steps = 1000};
  thalweg::piecewise<2> piecewise{change{1, 1}, change{1, 1}};
  operator subject() const {  // NOLINT: implicit by intent
    return chain(warmup, linear, cosine, wsd, scale_lr, restarts, inverse_sqrt, piecewise);
  }
};

// The learning rate at step t is lr(t) times the optimizer's, which does not warm up here.
void follows(const subject& chain, const oracle::rate& lr) {
  auto s = oracle::dozen();
  s.options.warmup_steps = 0;
  const auto& p = s.parameters.front();
  const oracle::rate scheduled = [&](long t) { return s.options.lr * lr(t); };
  const auto y = oracle::descend(oracle::start(p), oracle::gradients(s, p), oracle::gradient(),
                                 s.options.weight_decay, scheduled);
  oracle::agrees(chain, s, {{y}, {y}});
}

double progress(long t) { return std::min(1.0, static_cast<double>(t - 1) / 8); }

}  // namespace

TEST_CASE("apply_update") {
  const subject s = apply_update{};
  suite(s);
  oracle::descends(s, oracle::gradient());
}

TEST_CASE("warmup, linear, cosine, warmup_stable_decay, scale_lr") {
  suite(schedules{.warmup = {.steps = 3}, .linear = {.steps = 9}, .cosine = {.steps = 9, .final = 0.5},
                  .wsd = {.warmup_steps = 2, .steps = 7, .decay_steps = 3, .final = 0.1}, .scale_lr = {.by = 0.7}});
}

TEST_CASE("warmup") {
  follows(schedules{.warmup = {.steps = 5}}, [](long t) { return t < 5 ? 0.2 * static_cast<double>(t) : 1.0; });
}

TEST_CASE("linear") {
  follows(schedules{.linear = {.steps = 8, .final = 0.2}}, [](long t) { return 1 - 0.8 * progress(t); });
}

TEST_CASE("cosine") {
  follows(schedules{.cosine = {.steps = 8, .final = 0.2}},
          [](long t) { return 0.2 + 0.4 * (1 + std::cos(std::acos(-1.0) * progress(t))); });
}

TEST_CASE("warmup_stable_decay") {
  // Up in two steps, then level, then down by a quarter of 0.8 a step.
  follows(schedules{.wsd = {.warmup_steps = 2, .steps = 10, .decay_steps = 4, .final = 0.2}}, [](long t) {
    const double at[] = {0.5, 1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2};
    return at[t - 1];
  });
}

TEST_CASE("schedules of the longest trainings") {  // a sum beyond long would not compile
  constexpr long most = std::numeric_limits<long>::max();
  static_assert(thalweg::warmup_stable_decay{.warmup_steps = 1, .steps = most, .decay_steps = most}.at({.lr = 1}).lr == 1);
  static_assert(thalweg::warmup_stable_decay{.warmup_steps = 1, .steps = 1, .decay_steps = 1}.at({.step = most, .lr = 1}).lr == 0);
  static_assert(thalweg::linear{.steps = most}.at({.step = most, .lr = 1}).lr == 0);
  static_assert(thalweg::inverse_sqrt{.steps = most}.at({.step = most, .lr = 1}).lr == 1);
  static_assert(thalweg::warmup{.steps = most}.at({.step = most, .lr = 1}).lr == 1);
}

TEST_CASE("scale_lr") {
  follows(schedules{.scale_lr = {.by = 0.3}}, [](long) { return 0.3; });
}

TEST_CASE("cosine_restarts") {
  // Cycles of 2, 4 and 8 steps: half a wave from 1 to 0.2 in each.
  follows(schedules{.restarts = {.steps = 2, .growth = 2, .final = 0.2}}, [](long t) {
    const double at[] = {0, 0.5, 0, 0.25, 0.5, 0.75, 0, 0.125, 0.25, 0.375, 0.5, 0.625};
    return 0.2 + 0.4 * (1 + std::cos(std::acos(-1.0) * at[t - 1]));
  });
  follows(schedules{.restarts = {.steps = 4}}, [](long t) {
    return 0.5 * (1 + std::cos(std::acos(-1.0) * static_cast<double>((t - 1) % 4) / 4));
  });
}

TEST_CASE("inverse_sqrt") {
  follows(schedules{.inverse_sqrt = {.steps = 4}},
          [](long t) { return t < 4 ? 1 : 2 / std::sqrt(static_cast<double>(t)); });
}

TEST_CASE("piecewise") {
  follows(schedules{.piecewise = {change{.from = 4, .by = 0.5}, change{.from = 9, .by = 3}}},
          [](long t) { return t < 4 ? 1 : t < 9 ? 0.5 : 1.5; });
  std::vector<float> values(3);
  CHECK_THROWS_WITH_AS(optimizer(piecewise{change{.from = 4, .by = -1}}, std::vector{as_parameter("p", values)}, {}),
                       "[piecewise] Expected by in [0, inf). Received -1.", error);
}

TEST_CASE("join") {
  const auto joined = join(for_steps(3, warmup{.steps = 3}), for_steps(4, scale_lr{.by = 0.9}),
                           linear{.steps = 4, .final = 0.5});
  suite(joined | ema{.beta = 0.8});
  follows(chain(joined), [](long t) {
    const double at[] = {1.0 / 3, 2.0 / 3, 1, 0.9, 0.9, 0.9, 0.9, 1, 0.875, 0.75, 0.625, 0.5};
    return at[t - 1];
  });
  std::vector<float> values(3);
  const auto none = join(for_steps(0, scale_lr{1}), scale_lr{1});
  CHECK_THROWS_WITH_AS(optimizer(none, std::vector{as_parameter("p", values)}, {}),
                       "[join] Expected steps in [1, inf). Received 0.", error);
}

TEST_CASE("scheduled") {
  // Half a weight on the old momentum, falling to a quarter.
  const auto moving = scheduled(&ema::beta, linear{.steps = 4, .final = 0.5}, ema{.beta = 0.5});
  suite(moving);
  oracle::vector momentum;
  oracle::walks(moving, [&](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
    if (g.size() == 1) momentum.assign(theta.size(), 0.0);
    const double beta = 0.5 - 0.25 * std::min(1.0, static_cast<double>(g.size() - 1) / 4);
    momentum = oracle::each(g.back(), momentum, [=](double a, double m) { return (1 - beta) * a + beta * m; });
    return oracle::each(theta, momentum, [=](double x, double m) { return (1 - lr * decay) * x - lr * m; });
  });
  suite(scheduled(&clip_by_global_norm::max_norm, cosine{.steps = 5, .final = 0.1}) | ema{.beta = 0.8});

  suite(scheduled(&clip_adaptively::clipping, linear{.steps = 5, .final = 0.5}, clip_adaptively{.clipping = 0.1}));

  std::vector<float> values(3);
  auto opt = optimizer(scheduled(&ema::beta, piecewise{change{.from = 3, .by = 4}}, ema{.beta = 0.5}),
                       std::vector{as_parameter("p", values)}, {});
  const std::vector<std::vector<float>> gradients{{1, 2, 3}};
  opt.step(gradients);
  opt.step(gradients);
  const auto before = values;
  CHECK_THROWS_WITH_AS(opt.step(gradients), "[ema] Expected beta in [0, 1). Received 2.", error);
  CHECK(values == before);
}

TEST_CASE("a warm-up in a join is known as one when it is over") {
  std::vector<float> joined{1, 2}, plain{1, 2};
  const auto bind = [](const auto& schedule, std::vector<float>& values) {
    return optimizer(schedule | amuse_beta{} | update_by_schedule_free{}, std::vector{as_parameter("p", values)}, {.lr = 1});
  };
  auto a = bind(join(for_steps(3, warmup{.steps = 3}), scale_lr{1}), joined);
  auto b = bind(warmup{.steps = 3}, plain);
  const std::vector<std::vector<float>> gradients{{1, -1}};
  for (int t = 0; t < 6; ++t) {
    a.step(gradients);
    b.step(gradients);
    CHECK(joined == plain);
  }
}

TEST_CASE("a schedule inside another word is checked like any") {
  std::vector<float> values(3);
  const auto bind = [&](const auto& chain) { optimizer(chain, std::vector{as_parameter("p", values)}, {}); };
  CHECK_THROWS_WITH_AS(bind(scheduled(&ema::beta, cosine_restarts{.steps = 0}, ema{})),
                       "[cosine_restarts] Expected steps in [1, inf). Received 0.", error);
  CHECK_THROWS_WITH_AS(bind(join(for_steps(3, linear{.steps = -5}), scale_lr{1}) | ema{}),
                       "[linear] Expected steps in [1, inf). Received -5.", error);
  CHECK_THROWS_WITH_AS(bind(join(for_steps(3, scale_lr{1}), cosine_restarts{.steps = 0}) | ema{}),
                       "[cosine_restarts] Expected steps in [1, inf). Received 0.", error);
  CHECK_THROWS_AS(bind(scheduled(&clip_by_norm::max_norm, piecewise{change{.from = 1, .by = -1}}, clip_by_norm{})), error);
}

TEST_CASE("orthogonalisation with more steps than its memory was made for") {
  const std::size_t rows = 96, cols = 400;
  std::vector<float> moving(rows * cols), fixed(rows * cols), gradient;
  for (std::size_t i = 0; i < rows * cols; ++i) gradient.push_back(static_cast<float>(training::gradient(1, i)));
  const options still{.lr = 1, .parallel = sequential()};
  const std::vector from_one{as_parameter("w", std::span(moving), {rows, cols})},
      five{as_parameter("w", std::span(fixed), {rows, cols})};
  auto opt = optimizer(scheduled(&orthogonalize_update::steps, piecewise{change{.from = 2, .by = 5}},
                                 orthogonalize_update{.steps = 1}), from_one, still);
  auto expected = optimizer(orthogonalize_update{}, five, still);
  opt.step({gradient});
  std::ranges::fill(moving, 0.0f);
  opt.step({gradient});
  expected.step({gradient});
  for (std::size_t i = 0; i < rows * cols; i += 7) CHECK(moving[i] == doctest::Approx(fixed[i]).epsilon(1e-2));
}

TEST_CASE("schedules multiply") {
  follows(schedules{.warmup = {.steps = 3}, .linear = {.steps = 8}, .scale_lr = {.by = 2}}, [](long t) {
    return 2 * std::min(1.0, static_cast<double>(t) / 3) * (1 - progress(t));
  });
}

TEST_CASE("scheduled, nested: two fields move") {
  const auto train = [](const auto& c) {
    std::vector<double> theta{1, -2, 3};
    auto opt = optimizer(c, std::vector{as_parameter("p", theta)}, {.lr = 0.1});
    for (int t = 0; t < 6; ++t) opt.step({std::vector<double>{1, 0.5 * t, -1}});
    return theta;
  };
  const piecewise later{change{.from = 4, .by = 0.5}};
  const auto both = scheduled(&scale_by_adam::beta1, later,
                              scheduled(&scale_by_adam::beta2, later, scale_by_adam{.beta1 = 0.8, .beta2 = 0.9}));
  CHECK(to_text(chain(both)).starts_with("scheduled(beta1, piecewise(change(from=4, by=0.5)), scheduled(beta2, "));
  const auto one = scheduled(&scale_by_adam::beta1, later, scale_by_adam{.beta1 = 0.8, .beta2 = 0.9});
  const auto other = scheduled(&scale_by_adam::beta2, later, scale_by_adam{.beta1 = 0.8, .beta2 = 0.9});
  CHECK(train(both) != train(one));
  CHECK(train(both) != train(other));
  CHECK(train(one) != train(other));
  suite(both);
}

TEST_CASE("schedule_weight_decay moves the decay and nothing else") {
  std::vector<double> theta{1};
  auto opt = optimizer(schedule_weight_decay(piecewise{change{.from = 2, .by = 0.5}}) | scale{1},
                       std::vector{as_parameter("p", theta)}, {.lr = 0.5, .weight_decay = 0.5});
  opt.step({std::vector<double>{0}});
  CHECK(theta[0] == 0.75);
  opt.step({std::vector<double>{0}});
  CHECK(theta[0] == 0.75 * 0.875);
  CHECK(to_text(chain(schedule_weight_decay(linear{.steps = 4, .final = 0.5}))) ==
        "schedule_weight_decay(linear(steps=4, final=0.5))");
  CHECK_THROWS_WITH_AS(optimizer(schedule_weight_decay(linear{.steps = 0}) | ema{}, std::vector{as_parameter("p", theta)}, {}),
                       "[linear] Expected steps in [1, inf). Received 0.", error);
  suite(schedule_weight_decay(linear{.steps = 4, .final = 0.5}) | ema{.beta = 0.8});
}

TEST_CASE("scheduled: a whole-number field takes the nearest one") {
  std::vector<float> values(4);
  const auto bind = [&](const auto& c) { return optimizer(c, std::vector{as_parameter("w", values, {2, 2})}, {}); };
  auto five_to_one = bind(scheduled(&orthogonalize_update::steps, linear{.steps = 4, .final = 0.2}, orthogonalize_update{}));
  for (int t = 0; t < 8; ++t) five_to_one.step({std::vector<float>{1, 2, 3, 4}});
  auto huge = bind(scheduled(&add_noise::seed, piecewise{change{.from = 1, .by = 1e30}}, add_noise{.seed = 1}) | ema{});
  huge.step({std::vector<float>{1, 2, 3, 4}});
}

namespace {

struct by_loss {
  using reads = loss_of_step;
  constexpr context at(context c) const {
    c.lr *= c.loss.value_or(0);
    return c;
  }
};

}  // namespace

TEST_CASE("a schedule that reads the loss is found inside of other words") {
  std::vector<double> theta{1};
  const auto refused = [&](const auto& c) {
    auto opt = optimizer(c, std::vector{as_parameter("p", theta)}, {});
    CHECK_THROWS_AS(opt.step({std::vector<double>{1}}), error);
    CHECK(opt.step({std::vector<double>{1}}, {.loss = 1}).taken);
  };
  refused(scheduled(&scale::by, by_loss{}, scale{1}));
  refused(schedule_weight_decay(by_loss{}) | scale{1});
  refused(join(for_steps(2, by_loss{}), scale_lr{1}) | scale{1});
}

TEST_CASE("schedules that leave the finite numbers are refused before anything is written") {
  std::vector<float> theta{1};
  auto opt = optimizer(scale_lr{.by = 1e300} | piecewise{change{.from = 2, .by = 1e300}} | scale{1},
                       std::vector{as_parameter("p", theta)}, {.lr = 1});
  opt.step({std::vector<float>{0}});
  CHECK_THROWS_WITH_AS(opt.step({std::vector<float>{0}}), "[step] Expected schedules that leave lr finite. Received inf.",
                       error);
  CHECK(theta[0] == 1);
}
