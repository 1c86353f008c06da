#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::descends;
using oracle::in_turn;
using oracle::operator+, oracle::operator*;
using training::subject;
using training::suite;

namespace {

struct pulled_to_zero {
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e) { return next(e.update + T(0.25) * e.parameter); };
  }
};

}  // namespace

TEST_CASE("parallel: an ensemble is the mean of its branches") {
  const subject s = heavyball_momentum{.beta = 0.5} |
                    parallel(ensemble{}, scale_by_adam{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3}, ema{.beta = 0.7},
                             chain()) | scale{.by = 0.5};
  suite(s);
  descends(s, in_turn(oracle::heavyball(0.5), [](const oracle::history& u) {
    return (0.5 / 3) * (oracle::adam(0.8, 0.9, 1e-3)(u) + oracle::average(u, 0.7) + u.back());
  }));
}

TEST_CASE("parallel: grafting takes the first branch's length and the second's direction") {
  const subject s = parallel(grafting{}, scale_by_rss{.initial = 0.1},
                             ema{.beta = 0.8} | clip_by_norm{.max_norm = 0.3} | ema{.beta = 0.7} | equalize_rows{});
  suite(s);
  const auto direction = in_turn(in_turn(oracle::ema(0.8), oracle::clipped(0.3)),
                                 in_turn(oracle::ema(0.7), oracle::equal_rows(9)));
  descends(s, [=](const oracle::history& u) {
    const auto d = direction(u);
    return (oracle::norm(oracle::rss(0.1, 1e-10)(u)) / oracle::norm(d)) * d;
  });
}

TEST_CASE("parallel: a branch sees the gradient and the parameter") {
  const subject s = ema{.beta = 0.8} | parallel(ensemble{}, cautious{}, pulled_to_zero{}) | scale{.by = 2};
  oracle::walks(s, [](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
    const auto u = oracle::average(g, 0.8);
    const auto masked = oracle::cautious(oracle::ema(0.8), 1)(g);
    return (1 - lr * decay) * theta + (-lr) * (masked + u + 0.25 * theta);
  });
}

TEST_CASE("parallel: what holds the decay back for a step fits a branch, what spends it does not") {
  suite(parallel(grafting{}, scale_by_adopt{.beta1 = 0.8, .beta2 = 0.9}, scale_by_sign{}));
}

TEST_CASE("parallel states which transform remembers what, and checks its branches' fields") {
  std::vector<float> values(6);
  const auto bind = [&](double beta) {
    return optimizer(parallel(ensemble{}, ema{.beta = 0.5}, scale{1} | ema{.beta = beta}),
                     std::vector{as_parameter("w", values, {2, 3})}, {});
  };
  const auto table = bind(0.5).describe();
  CHECK(table.find("parallel.1.ema.momentum, parallel.3.ema.momentum") != table.npos);
  CHECK_THROWS_WITH_AS(bind(1), "[ema] Expected beta in [0, 1). Received 1.", error);
}

TEST_CASE("parallel refuses a schedule's value before the step") {
  std::vector<float> values(3);
  const auto rising = scheduled(&ema::beta, piecewise{change{.from = 2, .by = 4}}, ema{.beta = 0.5});
  auto opt = optimizer(parallel(ensemble{}, rising), std::vector{as_parameter("p", values)}, {});
  const std::vector<std::vector<float>> gradients{{1, 2, 3}};
  opt.step(gradients);
  const auto before = values;
  CHECK_THROWS_WITH_AS(opt.step(gradients), "[ema] Expected beta in [0, 1). Received 2.", error);
  CHECK(values == before);
}

TEST_CASE("parallel: where a branch's function throws, the step is put back") {
  std::vector<float> values{1, 2, 3};
  const auto before = values;
  auto opt = optimizer(parallel(ensemble{}, ema{}, tensorwise("mine", [](tensor<float>) { throw error("mine", "no"); })),
                       std::vector{as_parameter("p", values)}, {});
  const std::vector<std::vector<float>> gradients{{1, 2, 3}};
  CHECK_THROWS_WITH_AS(opt.step(gradients), "[mine] no", error);
  CHECK(values == before);
  CHECK(opt.steps() == 0);
}
