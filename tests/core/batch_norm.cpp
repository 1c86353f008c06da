// Batch norms beside an average: statistics that were gathered at y are wrong at x, refreshed ones are right.
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;

namespace {

constexpr std::size_t inputs = 4, width = 6;
using sample = std::array<double, inputs>;
using features = std::array<double, width>;

constexpr double centre = 4;  // inputs have a mean, as activations do

double target(const sample& x) {
  return (x[0] - centre) * (x[1] - centre) - std::abs(x[2] - centre) + 0.3 * (x[3] - centre);
}

struct statistics {
  features mean{}, variance{};
};

// out = head · relu(norm(weights · x)), the norm without scale and shift.
struct network {
  std::vector<double> weights = std::vector<double>(width * inputs), head = std::vector<double>(width);
  statistics running{};

  network() {
    for (std::size_t i = 0; i < weights.size(); ++i) weights[i] = test::noise(1, i);
    for (std::size_t i = 0; i < head.size(); ++i) head[i] = test::noise(2, i);
    running.variance.fill(1);
  }

  [[nodiscard]] features linear(const sample& x) const {
    features h{};
    for (std::size_t k = 0; k < width; ++k)
      for (std::size_t j = 0; j < inputs; ++j) h[k] += weights[k * inputs + j] * x[j];
    return h;
  }
  [[nodiscard]] statistics statistics_of(const std::vector<sample>& batch) const {
    statistics s;
    const auto n = static_cast<double>(batch.size());
    for (const auto& x : batch)
      for (std::size_t k = 0; k < width; ++k) s.mean[k] += linear(x)[k] / n;
    for (const auto& x : batch)
      for (std::size_t k = 0; k < width; ++k) s.variance[k] += std::pow(linear(x)[k] - s.mean[k], 2) / n;
    return s;
  }
  static double normal(double h, const statistics& s, std::size_t k) {
    return (h - s.mean[k]) / std::sqrt(s.variance[k] + 1e-5);
  }
  [[nodiscard]] double loss(const std::vector<sample>& data, const statistics& s) const {
    double sum = 0;
    for (const auto& x : data) {
      double out = -target(x);
      const auto h = linear(x);
      for (std::size_t k = 0; k < width; ++k) out += head[k] * std::max(0.0, normal(h[k], s, k));
      sum += out * out / static_cast<double>(data.size());
    }
    return sum;
  }

  /// The gradients in training mode, and what training mode does to the running statistics.
  std::array<std::vector<double>, 2> backward(const std::vector<sample>& batch) {
    const auto s = statistics_of(batch);
    for (std::size_t k = 0; k < width; ++k) {
      running.mean[k] = 0.9 * running.mean[k] + 0.1 * s.mean[k];
      running.variance[k] = 0.9 * running.variance[k] + 0.1 * s.variance[k];
    }
    const auto n = static_cast<double>(batch.size());
    std::vector<features> hats, backs;
    std::array<std::vector<double>, 2> gradients{std::vector<double>(weights.size()), std::vector<double>(width)};
    features mean_back{}, mean_product{};
    for (const auto& x : batch) {
      features hat = linear(x), back;
      double error = -target(x);
      for (std::size_t k = 0; k < width; ++k) {
        hat[k] = normal(hat[k], s, k);
        error += head[k] * std::max(0.0, hat[k]);
      }
      for (std::size_t k = 0; k < width; ++k) {
        back[k] = hat[k] > 0 ? 2 * error * head[k] / n : 0;
        gradients[1][k] += 2 * error * std::max(0.0, hat[k]) / n;
        mean_back[k] += back[k] / n;
        mean_product[k] += back[k] * hat[k] / n;
      }
      hats.push_back(hat);
      backs.push_back(back);
    }
    for (std::size_t i = 0; i < batch.size(); ++i)
      for (std::size_t k = 0; k < width; ++k) {
        const double d = (backs[i][k] - mean_back[k] - hats[i][k] * mean_product[k]) / std::sqrt(s.variance[k] + 1e-5);
        for (std::size_t j = 0; j < inputs; ++j) gradients[0][k * inputs + j] += d * batch[i][j];
      }
    return gradients;
  }
};

std::vector<sample> draw(std::size_t n, std::uint64_t seed) {
  std::vector<sample> all(n);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < inputs; ++j) all[i][j] = 2 * test::noise(seed, i * inputs + j) + centre;
  return all;
}

}  // namespace

TEST_CASE("the hand-written gradients are those of the loss") {
  network net;
  const auto batch = draw(16, 9);
  const auto gradients = net.backward(batch);
  for (std::size_t i = 0; i < net.weights.size(); ++i) {
    const double at = net.weights[i], h = 1e-6;
    net.weights[i] = at + h;
    const double above = net.loss(batch, net.statistics_of(batch));
    net.weights[i] = at - h;
    const double below = net.loss(batch, net.statistics_of(batch));
    net.weights[i] = at;
    CHECK(gradients[0][i] == doctest::Approx((above - below) / (2 * h)).epsilon(1e-4));
  }
}

TEST_CASE("at x a batch norm's statistics must be refreshed") {
  network net;
  const std::vector parameters{as_parameter("weights", net.weights, {width, inputs}), as_parameter("head", net.head)};
  auto opt = optimizer(update_by_schedule_free{.beta = 0.6}, parameters, {.lr = 0.3});
  for (std::uint64_t step = 0; step < 200; ++step) opt.step(net.backward(draw(32, 100 + step)));

  const auto held_out = draw(2000, 7);
  CHECK(net.loss(held_out, net.running) < 1.1 * net.loss(held_out, net.statistics_of(held_out)));  // right at y

  const auto at_x = opt.evaluation_point();
  const double stale = net.loss(held_out, net.running);
  const double right = net.loss(held_out, net.statistics_of(held_out));

  net.running = {};  // the recipe: the plain mean over some batches of training, at x
  constexpr int batches = 20;
  for (int i = 0; i < batches; ++i) {
    const auto s = net.statistics_of(draw(200, 1000 + static_cast<std::uint64_t>(i)));
    for (std::size_t k = 0; k < width; ++k) {
      net.running.mean[k] += s.mean[k] / batches;
      net.running.variance[k] += s.variance[k] / batches;
    }
  }
  const double refreshed = net.loss(held_out, net.running);

  INFO("right " << right << ", stale " << stale << ", refreshed " << refreshed);
  CHECK(refreshed == doctest::Approx(right).epsilon(0.05));
  CHECK(stale > 2 * right);
}
