#include <cmath>

#include <doctest/doctest.h>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::descends;
using oracle::operator+, oracle::operator-, oracle::operator*;
using training::subject;
using training::suite;

TEST_CASE("scale_by_adam") {
  const subject s = scale_by_adam{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::adam(0.8, 0.9, 1e-3));
  descends(scale_by_adam{}, oracle::adam(0.9, 0.999, 1e-8));
}

TEST_CASE("scale_by_exp_avg_sq") {
  const subject s = scale_by_exp_avg_sq{.beta2 = 0.9, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::second_moment(0.9, 1e-3));
  descends(scale_by_exp_avg_sq{}, oracle::second_moment(0.999, 1e-10));
}

TEST_CASE("scale_by_rms") {
  const subject s = scale_by_rms{.beta = 0.9, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::rms(0.9, 1e-3));
  descends(scale_by_rms{}, oracle::rms(0.99, 1e-8));
}

TEST_CASE("scale_by_rss") {
  const subject s = scale_by_rss{.initial = 0.1, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::rss(0.1, 1e-3));
  descends(scale_by_rss{}, oracle::rss(0, 1e-10));
}

TEST_CASE("scale_by_belief") {
  const subject s = scale_by_belief{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3};
  suite(s);
  const auto belief = [](double beta1, double beta2, double epsilon) -> oracle::update {
    return [=](const oracle::history& u) {
      oracle::vector second(u.back().size(), 0.0);
      for (std::size_t t = 1; t <= u.size(); ++t) {
        const auto distance = u[t - 1] - oracle::average(oracle::until(u, t), beta1);
        second = oracle::each(beta2 * second + (1 - beta2) * oracle::squared(distance), [=](double x) { return x + epsilon; });
      }
      const double unbias = 1 / (1 - std::pow(beta2, static_cast<double>(u.size())));
      return oracle::over_root(oracle::corrected(u, beta1), unbias * second, epsilon);
    };
  };
  descends(s, belief(0.8, 0.9, 1e-3));
  descends(scale_by_belief{}, belief(0.9, 0.999, 1e-16));
}

TEST_CASE("scale_by_yogi") {
  const subject s = scale_by_yogi{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-2, .initial = 0.1};
  suite(s);
  const auto yogi = [](double beta1, double beta2, double epsilon, double initial) -> oracle::update {
    return [=](const oracle::history& u) {
      oracle::vector second(u.back().size(), initial);
      for (const auto& g : u)
        second = oracle::each(second, g, [=](double v, double x) {
          return v - (1 - beta2) * static_cast<double>((v > x * x) - (v < x * x)) * x * x;
        });
      const double unbias = 1 / (1 - std::pow(beta2, static_cast<double>(u.size())));
      return oracle::over_root(oracle::corrected(u, beta1), unbias * second, epsilon);
    };
  };
  descends(s, yogi(0.8, 0.9, 1e-2, 0.1));
  descends(scale_by_yogi{}, yogi(0.9, 0.999, 1e-3, 1e-6));
}

TEST_CASE("scale_by_adamax") {
  const subject s = scale_by_adamax{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-2};
  suite(s);
  const auto adamax = [](double beta1, double beta2, double epsilon) -> oracle::update {
    return [=](const oracle::history& u) {
      oracle::vector largest(u.back().size(), 0.0);  // max over s of β₂^(t-s)·(|u_s| + ε)
      for (std::size_t s = 0; s < u.size(); ++s)
        largest = oracle::each(largest, u[s], [&](double a, double x) {
          return std::max(a, std::pow(beta2, static_cast<double>(u.size() - 1 - s)) * (std::abs(x) + epsilon));
        });
      return oracle::each(oracle::corrected(u, beta1), largest, [](double m, double n) { return m / n; });
    };
  };
  descends(s, adamax(0.8, 0.9, 1e-2));
  descends(scale_by_adamax{}, adamax(0.9, 0.999, 1e-8));
}

TEST_CASE("scale_by_adadelta") {
  const subject s = scale_by_adadelta{.rho = 0.8, .epsilon = 1e-2};
  suite(s);
  const auto adadelta = [](double rho, double epsilon) -> oracle::update {
    return [=](const oracle::history& u) {
      oracle::history steps;
      for (std::size_t t = 1; t <= u.size(); ++t) {
        const auto second = oracle::average(oracle::squared(oracle::until(u, t)), rho);
        const auto before = steps.empty() ? oracle::vector(u.back().size(), 0.0) : oracle::average(oracle::squared(steps), rho);
        steps.push_back(oracle::each(u[t - 1], oracle::each(before, second, [=](double s, double v) {
          return std::sqrt((s + epsilon) / (v + epsilon));
        }), std::multiplies<>()));
      }
      return steps.back();
    };
  };
  descends(s, adadelta(0.8, 1e-2));
  descends(scale_by_adadelta{}, adadelta(0.9, 1e-6));
}

TEST_CASE("scale_by_deviation") {
  const subject s = scale_by_deviation{.beta = 0.9, .epsilon = 1e-2};
  suite(s);
  const auto deviation = [](double beta, double epsilon) -> oracle::update {
    return [=](const oracle::history& u) {
      return oracle::over_root(u.back(), oracle::average(oracle::squared(u), beta) - oracle::squared(oracle::average(u, beta)),
                               epsilon);
    };
  };
  descends(s, deviation(0.9, 1e-2));
  descends(scale_by_deviation{}, deviation(0.99, 1e-8));
}

TEST_CASE("scale_by_layer_norm, scale_by_sm3") {
  const subject layer = scale_by_layer_norm{.beta2 = 0.8, .epsilon = 1e-2};
  suite(layer);
  descends(layer, [](const oracle::history& u) {
    double v = std::pow(oracle::norm(u.front()), 2);
    for (std::size_t t = 1; t < u.size(); ++t) v = 0.8 * v + 0.2 * std::pow(oracle::norm(u[t]), 2);
    return (1 / (std::sqrt(v) + 1e-2)) * u.back();
  });
  const subject sm3 = scale_by_sm3{.epsilon = 1e-2};
  suite(sm3);
  descends(sm3, [](const oracle::history& u) {
    constexpr std::size_t rows = 5, cols = 9;
    oracle::vector r(rows, 0.0), c(cols, 0.0), v(rows * cols);
    for (const auto& g : u) {
      for (std::size_t k = 0; k < v.size(); ++k) v[k] = std::min(r[k / cols], c[k % cols]) + g[k] * g[k];
      r.assign(rows, 0.0), c.assign(cols, 0.0);
      for (std::size_t k = 0; k < v.size(); ++k) r[k / cols] = std::max(r[k / cols], v[k]), c[k % cols] = std::max(c[k % cols], v[k]);
    }
    return oracle::over_root(u.back(), v, 1e-2);
  });
}
