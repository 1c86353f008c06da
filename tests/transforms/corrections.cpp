// What is done to an update that another transform made.
#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::descends;
using oracle::in_turn;
using oracle::operator+, oracle::operator-, oracle::operator*;
using training::subject;
using training::suite;

TEST_CASE("mars") {
  const subject s = mars{.gamma = 0.1, .beta1 = 0.8} | ema{.beta = 0.8};
  suite(s);
  descends(s, in_turn(oracle::mars(0.1, 0.8), oracle::ema(0.8)));
}

TEST_CASE("cautious") {
  const subject s = ema{.beta = 0.8} | cautious{} | scale{.by = 2};
  suite(s);
  descends(s, in_turn(oracle::cautious(oracle::ema(0.8), 1), oracle::times(2)));
  const subject heavyballs = ema{.beta = 0.8} | cautious{.rule = caution_rule::heavyball};
  suite(heavyballs);
  descends(heavyballs, oracle::cautious(oracle::ema(0.8), 0));
}

TEST_CASE("cautious in a route counts each parameter on its own") {
  suite(route(when([](const parameter_info& p) { return p.shape.size() == 2; }, ema{.beta = 0.8} | cautious{}),
              otherwise(ema{.beta = 0.7} | cautious{})) | scale{.by = 0.5});
}

TEST_CASE("cautious_decay") {
  const subject s = ema{.beta = 0.8} | cautious_decay{};
  suite(s);
  oracle::walks(s, [](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
    const auto u = oracle::average(g, 0.8);
    return theta - lr * (u + oracle::each(u, theta, [=](double a, double x) { return a * x >= 0 ? decay * x : 0.0; }));
  });
}

TEST_CASE("clip_by_norm") {
  const subject s = ema{.beta = 0.8} | clip_by_norm{.max_norm = 0.3} | scale{.by = 2};
  suite(s);
  descends(s, in_turn(oracle::ema(0.8), in_turn(oracle::clipped(0.3), oracle::times(2))));
}

TEST_CASE("clip_by_value") {
  const subject s = ema{.beta = 0.8} | clip_by_value{.limit = 0.1};
  suite(s);
  descends(s, in_turn(oracle::ema(0.8), oracle::held(0.1)));
}

TEST_CASE("clip_by_rms, scale_to_rms") {
  const subject s = ema{.beta = 0.8} | clip_by_rms{.max_rms = 0.1} | nesterov_momentum{.beta = 0.5} |
                    scale_to_rms{.rms = 0.3};
  suite(s);
  descends(s, in_turn(in_turn(oracle::ema(0.8), oracle::clipped_rms(0.1)),
                      in_turn(oracle::nesterov(0.5), oracle::of_rms(0.3))));
}

TEST_CASE("centralize_gradient") {
  const subject s = centralize_gradient{} | ema{.beta = 0.8};
  suite(s);
  descends(s, in_turn(oracle::centralized(9), oracle::ema(0.8)));
}

TEST_CASE("equalize_rows") {
  const subject s = ema{.beta = 0.8} | equalize_rows{};
  suite(s);
  descends(s, in_turn(oracle::ema(0.8), oracle::equal_rows(9)));
}

TEST_CASE("equalize_rows to a length; scale_by_fan_in") {
  const subject s = ema{.beta = 0.8} | equalize_rows{.rms = 0.3} | scale_by_fan_in{.power = -0.5, .base = 4};
  suite(s);
  const auto rows = [](const oracle::history& u) {
    return oracle::each_row(oracle::average(u, 0.8), 9, [](const oracle::vector& r, std::size_t) {
      return std::sqrt(4.0 / 9) * 0.3 / oracle::rms(r) * r;
    });
  };
  descends(s, rows);

  // By hand: rows of RMS 2 (length 4 of four numbers), and a row of zeros stays zero; then u·(4/2)^(-1).
  const auto of_one = [](const auto& t, std::vector<std::size_t> shape, std::vector<float> g) {
    std::vector<float> theta(g.size());
    optimizer(chain(t), std::vector{as_parameter("w", theta, shape)}, {.lr = 1}).step({g});
    for (float& x : theta) x = -x;
    return theta;
  };
  CHECK(of_one(equalize_rows{.rms = 2}, {3, 4}, {0, 3, 0, 0, 0, 0, 0, 0, -1, 1, 1, -1}) ==
        std::vector<float>{0, 4, 0, 0, 0, 0, 0, 0, -2, 2, 2, -2});
  CHECK(of_one(equalize_rows{.rms = 2}, {1, 4}, {0, 3e38f, 0, 0}) == std::vector<float>{0, 4, 0, 0});
  CHECK(of_one(scale_by_fan_in{.base = 2}, {2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}) == std::vector<float>{0.5, 1, 1.5, 2, 2.5, 3, 3.5, 4});
  CHECK(of_one(scale_by_fan_in{.base = 2}, {4}, {1, 2, 3, 4}) == std::vector<float>{1, 2, 3, 4});
}

TEST_CASE("clip_adaptively") {
  const subject s = clip_adaptively{.clipping = 0.3, .epsilon = 1e-2} | ema{.beta = 0.8};
  suite(s);
  oracle::history clipped;
  oracle::walks(s, [&](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
    if (g.size() == 1) clipped.clear();
    clipped.push_back(oracle::each_row(g.back(), 9, [&](const oracle::vector& r, std::size_t i) {
      const double longest = 0.3 * std::max(oracle::norm(oracle::row(theta, i, 9)), 1e-2);
      return std::min(1.0, longest / oracle::norm(r)) * r;
    }));
    return (1 - lr * decay) * theta - lr * oracle::average(clipped, 0.8);
  });
}

TEST_CASE("scale_by_trust_ratio") {
  const subject s = ema{.beta = 0.8} | decay_weights{} | scale_by_trust_ratio{.trust = 0.5};
  suite(s);
  oracle::walks(s, [](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
    const auto u = oracle::average(g, 0.8) + decay * theta;
    return theta - (lr * 0.5 * oracle::norm(theta) / oracle::norm(u)) * u;
  });
}

TEST_CASE("scale_by_parameter_rms") {
  // Steps in proportion to what they make grow: only behind bounded updates does that end well.
  suite(scale_by_sign{} | scale_by_parameter_rms{.floor = 0.01});
  const subject s = ema{.beta = 0.8} | scale_by_parameter_rms{.floor = 0.01};
  oracle::walks(s, [](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
    return (1 - lr * decay) * theta - (lr * std::max(oracle::rms(theta), 0.01)) * oracle::average(g, 0.8);
  });
}

TEST_CASE("update_on_sphere") {
  const subject s = ema{.beta = 0.8} | update_on_sphere{};
  suite(s);
  oracle::walks(s, [](const oracle::vector& theta, const oracle::history& g, double lr, double) {
    const auto u = oracle::average(g, 0.8);
    const auto p = theta - (lr * oracle::norm(theta) / oracle::norm(u)) * u;
    return (oracle::norm(theta) / oracle::norm(p)) * p;
  });
}

TEST_CASE("add_noise is the same for the same seed, step and name, and for no other") {
  const auto noise = [](long seed, const char* name, std::size_t others) {
    std::vector<float> values(1000), more(others, 1.0f), still(1000), none(others);
    std::vector<parameter<float>> parameters{as_parameter(name, values)};
    if (others) parameters.insert(parameters.begin(), as_parameter("before", more));
    auto opt = optimizer(add_noise{.variance = 4, .fading = 0, .seed = seed}, parameters, {.lr = 1});
    if (others) opt.step(std::vector<std::vector<float>>{none, still});
    else opt.step(std::vector<std::vector<float>>{still});
    return values;
  };
  const auto first = noise(1, "w", 0);
  CHECK(noise(1, "w", 0) == first);
  CHECK(noise(1, "w", 50000) == first);  // on several threads
  CHECK(noise(2, "w", 0) != first);
  CHECK(noise(1, "v", 0) != first);
  double mean = 0, variance = 0;
  for (const double x : first) mean += x / 1000, variance += x * x / 1000;
  CHECK(std::abs(mean) < 0.25);  // four deviations of the mean
  CHECK(variance == doctest::Approx(4).epsilon(0.2));
}

TEST_CASE("add_noise fades") {
  const double z = white_noise(1, 2, "w").normal(3);
  CHECK(white_noise(1, 2, "w").normal(3) == z);
  std::vector<double> early(1000), late(1000);
  add_noise{.variance = 1, .fading = 1}.apply(context{.step = 1}, tensor<double>{early.data(), {}, {}, "w"});
  CHECK(early[1] == 0);  // a tensor without a shape is one number
  CHECK(early[0] != 0);
  const std::vector<std::size_t> shape{1000};
  add_noise{.variance = 1, .fading = 1}.apply(context{.step = 1}, tensor<double>{early.data(), shape, {}, "w"});
  add_noise{.variance = 1, .fading = 1}.apply(context{.step = 799}, tensor<double>{late.data(), shape, {}, "w"});
  CHECK(oracle::rms(early) == doctest::Approx(std::sqrt(0.5)).epsilon(0.1));
  CHECK(oracle::rms(late) == doctest::Approx(std::sqrt(1.0 / 800)).epsilon(0.1));
}

TEST_CASE("gradients so small that a factor leaves float's range shorten the step, and make no NaN of it") {
  const auto step = [](const auto& chain) {
    std::vector<float> theta{1, 2, 3, 4};
    auto opt = optimizer(chain, std::vector{as_parameter("w", theta, {2, 2})}, {.lr = 0.5});
    opt.step({std::vector<float>{0, 1e-42f, -1e-42f, 0}});
    for (const float x : theta) CHECK(std::isfinite(x));
    return theta;
  };
  for (const auto& theta : {step(scale_by_trust_ratio{}), step(scale_to_rms{.rms = 1})}) {
    CHECK(theta[0] == 1);
    CHECK(theta[1] < 2);
    CHECK(theta[2] > 3);
  }
  step(update_on_sphere{});
  step(equalize_rows{});
  step(parallel(grafting{}, scale_by_sign{}, chain()));
  step(clip_adaptively{} | scale_by_row_rms{});
}

TEST_CASE("optimistic_gradient") {
  const subject s = optimistic_gradient{.alpha = 0.7, .beta = 0.4} | ema{.beta = 0.8};
  suite(s);
  descends(s, in_turn([](const oracle::history& u) {
    const auto before = u.size() > 1 ? u[u.size() - 2] : oracle::vector(u.back().size(), 0.0);
    return 1.1 * u.back() - 0.4 * before;
  }, oracle::ema(0.8)));
}

TEST_CASE("orthogonal_to_parameter") {
  const subject s = orthogonal_to_parameter{} | scale{.by = 0.5};
  suite(s);
  oracle::walks(s, [](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
    const auto dot = [](const oracle::vector& a, const oracle::vector& b) {
      return std::inner_product(a.begin(), a.end(), b.begin(), 0.0);
    };
    const auto part = g.back() - (dot(theta, g.back()) / dot(theta, theta)) * theta;
    return theta - lr * (0.5 * (oracle::norm(g.back()) / oracle::norm(part)) * part + decay * theta);
  });
}

TEST_CASE("decay_towards_anchor") {
  const subject s = ema{.beta = 0.8} | decay_towards_anchor{.beta = 0.7};
  suite(s);
  for (const double beta : {1.0, 0.7}) {
    oracle::vector anchor;
    oracle::walks(beta == 1 ? subject(ema{.beta = 0.8} | decay_towards_anchor{}) : s,
                  [&](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
      if (g.size() == 1) anchor = theta;
      const auto result = theta - lr * (oracle::average(g, 0.8) + decay * (theta - anchor));
      anchor = beta * anchor + (1 - beta) * theta;
      return result;
    });
  }
}
