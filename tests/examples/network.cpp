// The race's network: its hand-written gradients against finite differences, in double.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <vector>

#include "../../examples/race/network.hpp"

namespace {

struct problem {
  race::matrix<double> images;
  std::vector<std::uint8_t> labels;
};

problem random_problem(Eigen::Index examples, Eigen::Index pixels, unsigned classes) {
  std::mt19937 random(3);
  std::normal_distribution<double> normal;
  problem p{race::matrix<double>(examples, pixels), {}};
  for (auto& pixel : p.images.reshaped()) pixel = normal(random);
  for (Eigen::Index i = 0; i < examples; ++i)
    p.labels.push_back(static_cast<std::uint8_t>(random() % classes));
  return p;
}

double largest_error(const std::vector<Eigen::Index>& widths, Eigen::Index examples) {
  const auto [images, labels] =
      random_problem(examples, widths.front(), static_cast<unsigned>(widths.back()));
  race::network<double> net(widths, 5);
  net.backward(images, labels);
  std::vector<std::vector<double>> gradients;
  for (const auto view : net.gradients()) gradients.emplace_back(view.begin(), view.end());

  double largest = 0;
  const auto parameters = net.parameters();
  for (std::size_t i = 0; i < parameters.size(); ++i)
    for (std::size_t j = 0; j < gradients[i].size(); ++j) {
      constexpr double h = 1e-6;
      double& number = parameters[i].data[j];
      const double kept = number;
      number = kept + h;
      const double above = net.forward(images, labels).loss;
      number = kept - h;
      const double below = net.forward(images, labels).loss;
      number = kept;
      largest = std::max(largest, std::abs((above - below) / (2 * h) - gradients[i][j]));
    }
  return largest;
}

}  // namespace

TEST_CASE("gradients are those of finite differences") {
  CHECK(largest_error({5, 3}, 4) < 1e-8);           // the head alone
  CHECK(largest_error({7, 6, 4}, 9) < 1e-8);        // one hidden layer
  CHECK(largest_error({7, 6, 5, 8, 4}, 9) < 1e-8);  // three
  CHECK(largest_error({6, 5, 3}, 1) < 1e-8);        // a batch of one
}

TEST_CASE("the loss is the mean of -log probability") {
  race::network<double> net({2, 3}, 1);
  for (const auto& p : net.parameters()) std::fill_n(static_cast<double*>(p.data), p.name == "head.weight" ? 6 : 3, 0.0);
  net.parameters()[1].data[2] = std::log(2.0);  // outputs 0, 0, log 2: probabilities ¼, ¼, ½
  const race::matrix<double> images = race::matrix<double>::Ones(2, 2);
  const auto [loss, accuracy] = net.forward(images, std::vector<std::uint8_t>{2, 0});
  CHECK(loss == doctest::Approx((std::log(2.0) + std::log(4.0)) / 2));
  CHECK(accuracy == 0.5);
}

TEST_CASE("large outputs do not overflow") {
  race::network<float> net({1, 2}, 1);
  net.parameters()[0].data[0] = 1e4f;
  net.parameters()[0].data[1] = -1e4f;
  const auto right = net.backward(race::matrix<float>::Ones(1, 1), std::vector<std::uint8_t>{0});
  CHECK(right.loss == 0);
  const auto wrong = net.backward(race::matrix<float>::Ones(1, 1), std::vector<std::uint8_t>{1});
  CHECK(wrong.loss == doctest::Approx(2e4));
  for (const auto gradient : net.gradients())
    for (const float g : gradient) CHECK(std::isfinite(g));
}

TEST_CASE("parameters say what they are, and gradients come in their order") {
  race::network<float> net({4, 3, 2}, 1);
  const auto parameters = net.parameters();
  const auto gradients = net.gradients();
  REQUIRE(parameters.size() == 4);
  REQUIRE(gradients.size() == 4);
  CHECK(parameters[0].name == "hidden1.weight");
  CHECK(parameters[0].shape == std::vector<std::size_t>{3, 4});
  CHECK(parameters[0].role == thalweg::role::hidden);
  CHECK(parameters[3].name == "head.bias");
  CHECK(parameters[3].role == thalweg::role::head);
  CHECK(gradients[0].size() == 12);
  CHECK(gradients[1].size() == 3);
  CHECK(gradients[2].size() == 6);
  CHECK(gradients[3].size() == 2);
}

TEST_CASE("a seed is a network") {
  race::network<float> one({4, 3, 2}, 1), same({4, 3, 2}, 1), other({4, 3, 2}, 2);
  const auto first = [](auto& net) { return net.parameters()[0].data[0]; };
  CHECK(first(one) == first(same));
  CHECK(first(one) != first(other));
}
