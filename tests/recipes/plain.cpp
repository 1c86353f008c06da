// The recipes without a route or an average, beside their papers, at their defaults and at other numbers.
#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>

#include "../transforms/agreement.hpp"

using namespace thalweg;
using oracle::descends;
using oracle::operator+, oracle::operator-, oracle::operator*;
using training::subject;
using training::suite;

constexpr auto l2 = oracle::decay::into_the_gradient;

TEST_CASE("recipe: sgd") {
  const subject s = recipes::sgd();
  suite(s);
  descends(s, oracle::heavyball(0.9), l2);
  descends(recipes::sgd({.momentum = 0.5}), oracle::heavyball(0.5), l2);
  descends(recipes::sgd({.momentum = 0}), oracle::gradient(), l2);
}

TEST_CASE("recipe: adam") {
  const subject s = recipes::adam();
  suite(s);
  descends(s, oracle::adam(0.9, 0.999, 1e-8), l2);
  descends(recipes::adam({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1}), oracle::adam(0.5, 0.8, 0.1), l2);
}

TEST_CASE("recipe: adamw") {
  const subject s = recipes::adamw();
  suite(s);
  descends(s, oracle::adam(0.9, 0.999, 1e-8));
  descends(recipes::adamw({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1}), oracle::adam(0.5, 0.8, 0.1));
}

TEST_CASE("recipe: lion") {
  const subject s = recipes::lion();
  suite(s);
  descends(s, oracle::lion(0.9, 0.99));
  descends(recipes::lion({.beta1 = 0.5, .beta2 = 0.8}), oracle::lion(0.5, 0.8));
}

TEST_CASE("recipe: rmsprop") {
  const subject s = recipes::rmsprop();
  suite(s);
  descends(s, oracle::rms(0.99, 1e-8), l2);
  descends(recipes::rmsprop({.beta = 0.5, .epsilon = 0.1}), oracle::rms(0.5, 0.1), l2);
}

TEST_CASE("recipe: adagrad") {
  const subject s = recipes::adagrad();
  suite(s);
  descends(s, oracle::rss(0, 1e-10), l2);
  descends(recipes::adagrad({.initial = 0.5, .epsilon = 0.1}), oracle::rss(0.5, 0.1), l2);
}

TEST_CASE("recipe: amsgrad") {
  const subject s = recipes::amsgrad();
  suite(s);
  descends(s, oracle::amsgrad(0.9, 0.999, 1e-8));
  descends(recipes::amsgrad({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1}), oracle::amsgrad(0.5, 0.8, 0.1));
}

TEST_CASE("recipe: nadam") {
  const subject s = recipes::nadam();
  suite(s);
  descends(s, oracle::nadam(0.9, 0.999, 1e-8, 0.004), l2);
  descends(recipes::nadam({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1, .momentum_decay = 0.2}),
           oracle::nadam(0.5, 0.8, 0.1, 0.2), l2);
}

TEST_CASE("recipe: radam") {
  const subject s = recipes::radam();
  suite(s);
  descends(s, oracle::radam(0.9, 0.999, 1e-8), l2);
  descends(recipes::radam({.beta1 = 0.5, .beta2 = 0.9, .epsilon = 0.1}), oracle::radam(0.5, 0.9, 0.1), l2);
}

TEST_CASE("recipe: adopt") {
  auto setting = oracle::dozen();
  setting.options.weight_decay = 0;
  const subject s = recipes::adopt();
  suite(s);
  descends(s, oracle::adopt(0.9, 0.9999, 1e-6), oracle::decay::decoupled, setting);
  descends(recipes::adopt({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1, .start = adopt_start::unbiased}),
           oracle::unbiased_adopt(0.5, 0.8, 0.1), oracle::decay::decoupled, setting);
}

TEST_CASE("recipe: laprop") {
  const subject s = recipes::laprop();
  suite(s);
  descends(s, oracle::in_turn(oracle::second_moment(0.999, 1e-15), oracle::corrected_ema(0.9)));
  descends(recipes::laprop({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1}),
           oracle::in_turn(oracle::second_moment(0.8, 0.1), oracle::corrected_ema(0.5)));
}

TEST_CASE("recipe: ademamix") {
  const subject s = recipes::ademamix({.beta1 = 0.5, .beta2 = 0.8, .beta3 = 0.9, .alpha = 2, .epsilon = 0.1});
  suite(s);
  descends(s, oracle::ademamix(0.5, 0.8, 0.1, [](long) { return 0.9; }, [](long) { return 2; }));
  descends(recipes::ademamix(),
           oracle::ademamix(0.9, 0.999, 1e-8, [](long) { return 0.9999; }, [](long) { return 5; }));
}

TEST_CASE("recipe: cautious_adamw") {
  const subject s = recipes::cautious_adamw();
  suite(s);
  descends(s, oracle::cautious(oracle::adam(0.9, 0.999, 1e-8), 1));
  descends(recipes::cautious_adamw({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1, .rule = caution_rule::heavyball}),
           oracle::cautious(oracle::adam(0.5, 0.8, 0.1), 0));
}

TEST_CASE("recipe: mars_adamw") {
  const subject s = recipes::mars_adamw();
  suite(s);
  const auto mars = [](double gamma, double beta1, double longest) {
    return oracle::in_turn(oracle::mars(gamma, beta1), oracle::clipped(longest));
  };
  descends(s, oracle::in_turn(mars(0.025, 0.95, 1), oracle::adam(0.95, 0.99, 1e-8)));
  descends(recipes::mars_adamw({.gamma = 0.1, .beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1, .max_norm = 0.2}),
           oracle::in_turn(mars(0.1, 0.5, 0.2), oracle::adam(0.5, 0.8, 0.1)));
}

TEST_CASE("recipe: adan") {
  const subject s = recipes::adan();
  suite(s);
  descends(s, oracle::adan(0.98, 0.92, 0.99, 1e-8));
  descends(recipes::adan({.beta1 = 0.5, .beta2 = 0.6, .beta3 = 0.8, .epsilon = 0.1}), oracle::adan(0.5, 0.6, 0.8, 0.1));
}

TEST_CASE("recipe: signum") {
  const subject s = recipes::signum();
  suite(s);
  descends(s, oracle::in_turn(oracle::ema(0.9), oracle::signs()));
  descends(recipes::signum({.beta = 0.5}), oracle::in_turn(oracle::ema(0.5), oracle::signs()));
}

TEST_CASE("recipe: lamb") {
  const auto lamb = [](double beta1, double beta2, double epsilon) {
    return [=](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
      const auto u = oracle::adam(beta1, beta2, epsilon)(g) + decay * theta;
      return theta - (lr * oracle::norm(theta) / oracle::norm(u)) * u;
    };
  };
  const subject s = recipes::lamb({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1});
  suite(s);
  oracle::walks(s, lamb(0.5, 0.8, 0.1));
  oracle::walks(recipes::lamb(), lamb(0.9, 0.999, 1e-6));
}

TEST_CASE("recipe: lars") {
  const auto lars = [](double momentum, double trust) {
    return [=, trusted = oracle::history()](const oracle::vector& theta, const oracle::history& g, double lr,
                                            double decay) mutable {
      if (g.size() == 1) trusted.clear();
      const auto u = g.back() + decay * theta;
      trusted.push_back((trust * oracle::norm(theta) / oracle::norm(u)) * u);
      return theta - lr * oracle::decaying_sum(trusted, momentum);
    };
  };
  const subject s = recipes::lars({.momentum = 0.5, .trust = 0.1});
  suite(s);
  oracle::walks(s, lars(0.5, 0.1));
  oracle::walks(recipes::lars(), lars(0.9, 0.001));
}

TEST_CASE("recipe: adafactor") {
  const auto adafactor = [](double decay_rate, double epsilon, double max_rms, double floor) {
    return [=](const oracle::vector& theta, const oracle::history& g, double lr, double decay) {
      const auto u = oracle::in_turn(oracle::factored_rms(9, decay_rate, epsilon), oracle::clipped_rms(max_rms))(g);
      return (1 - lr * decay) * theta - (lr * std::max(oracle::rms(theta), floor)) * u;
    };
  };
  const subject s = recipes::adafactor({.decay = 0.6, .epsilon = 1e-3, .max_rms = 0.7, .floor = 0.01});
  suite(s);
  oracle::walks(s, adafactor(0.6, 1e-3, 0.7, 0.01));
  oracle::walks(recipes::adafactor(), adafactor(0.8, 1e-30, 1, 0.001));
}
