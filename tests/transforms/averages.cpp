// Terminals that keep an average, beside their papers.
#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::operator+, oracle::operator-, oracle::operator*;
using training::subject;
using training::suite;

namespace {

// z, x and y after the steps: move(z or y) descends, join(x, z, t, weights) averages, meet(x, z) is y.
template <class Average>
void follows(const subject& chain, Average average) {
  const auto s = oracle::dozen();
  const auto& p = s.parameters.front();
  const auto lr = oracle::warmed_up(s.options);
  const auto gradients = oracle::gradients(s, p);
  oracle::vector y = oracle::start(p), x = y, z = y;
  for (std::size_t t = 1; t <= gradients.size(); ++t) {
    const double eta = lr(static_cast<long>(t));
    const auto u = oracle::average(oracle::until(gradients, t), 0.8);
    average(static_cast<long>(t), y, x, z, [&](const oracle::vector& theta) {
      return (1 - eta * s.options.weight_decay) * theta - eta * u;
    });
  }
  oracle::agrees(chain, s, {{y}, {x}});
}

}  // namespace

TEST_CASE("update_by_lookahead") {
  const subject s = ema{.beta = 0.8} | update_by_lookahead{.alpha = 0.3, .period = 5};
  suite(s);
  follows(s, [](long t, auto& y, auto& x, auto&, const auto& moved) {
    y = moved(y);
    if (t % 5 == 0) y = x = 0.7 * x + 0.3 * y;
  });
}

TEST_CASE("update_and_average over every step") {
  const subject s = ema{.beta = 0.8} | update_and_average{};
  suite(s);
  double sum = 0;
  follows(s, [&](long t, auto& y, auto& x, auto&, const auto& moved) {
    const double weight = std::pow(std::min(1.0, static_cast<double>(t) / 3), 2);  // of the warm-up's rates
    y = moved(y);
    sum = t == 1 ? weight : sum + weight;
    x = (1 - weight / sum) * x + (weight / sum) * y;
  });
}

TEST_CASE("update_and_average, forgetting") {
  const subject s = ema{.beta = 0.8} | update_and_average{.memory = forgetting{0.7}};
  suite(s);
  follows(s, [](long, auto& y, auto& x, auto&, const auto& moved) {
    y = moved(y);
    x = 0.7 * x + 0.3 * y;
  });
}

TEST_CASE("update_and_average: an average of floats follows changes below half a unit of its last place") {
  using single = number<float>;
  const auto kernel = update_and_average{.memory = forgetting{0.9999}}.at(context{});
  single average(1), lost(0);
  for (int step = 0; step < 20000; ++step) {
    const auto after = kernel(element<single>{.update = 0, .gradient = 0, .parameter = single(1.0005f)}, average, lost);
    average = std::get<0>(after.states);
    lost = std::get<1>(after.states);
  }
  CHECK(average.value() == doctest::Approx(1 + 0.0005 * (1 - std::pow(0.9999, 20000))).epsilon(1e-7));
}

TEST_CASE("update_by_primal_averaging") {
  const subject s = ema{.beta = 0.8} | update_by_primal_averaging{.mu_x = 0.7, .mu_y = 0.6};
  suite(s);
  follows(s, [](long, auto& y, auto& x, auto& z, const auto& moved) {
    z = moved(z);
    x = 0.7 * x + 0.3 * z;
    y = 0.6 * x + 0.4 * z;
  });
}

TEST_CASE("update_by_schedule_free with a refined weight") {
  const subject s = ema{.beta = 0.8} | update_by_schedule_free{.beta = 0.6, .weight = refined_weight{3}};
  suite(s);
  double sum = 0;
  follows(s, [&](long t, auto& y, auto& x, auto& z, const auto& moved) {
    const double weight = std::pow(std::min(1.0, static_cast<double>(t) / 3), 2);
    sum = t == 1 ? weight : sum + weight;
    const double newest = std::min(1.0, weight / sum * 0.4 * 3);
    z = moved(z);
    x = (1 - newest) * x + newest * z;
    y = 0.6 * x + 0.4 * z;
  });
}
