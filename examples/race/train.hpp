#pragma once
// The training loop, one for all contenders: data → batch → network → gradients → opt.step.

#include <algorithm>
#include <chrono>
#include <numeric>
#include <vector>

#include <thalweg/text.hpp>

#include "data.hpp"
#include "network.hpp"
#include "run.hpp"

namespace race {

// What every contender shares.
struct course {
  const data_set& data;
  const images& judges;  // data.validation in the race, data.tuning when learning rates are chosen
  std::vector<Eigen::Index> hidden;
  long steps = 0;  // at least 100: no two stops fall together
  std::size_t batch = 0;
};

inline constexpr std::size_t training_sample = 5000;

// The mean score over the first `count` of `set`.
inline score evaluate(network<float>& net, const data_set& data, const images& set, std::size_t count) {
  std::vector<std::uint32_t> indices(std::min(count, set.size()));
  std::iota(indices.begin(), indices.end(), 0u);
  score sum;
  batch block;
  for (std::size_t i = 0; i < indices.size(); i += 1000) {
    const auto chosen = std::span(indices).subspan(i, std::min<std::size_t>(1000, indices.size() - i));
    gather(data, set, chosen, block);
    const auto [loss, accuracy] = net.forward(block.images, block.labels);
    const double share = static_cast<double>(chosen.size()) / static_cast<double>(indices.size());
    sum.loss += share * loss;
    sum.accuracy += share * accuracy;
  }
  return sum;
}

// Trains a fresh network with the chain; `passing(point)` is called at every point of the curve.
template <class Passing>
run train(const thalweg::parsed_chain& chain, const thalweg::options& options, const course& course, unsigned seed,
          Passing passing) {
  using clock = std::chrono::steady_clock;
  const auto seconds = [](clock::duration d) { return std::chrono::duration<double>(d).count(); };

  std::vector<Eigen::Index> widths{static_cast<Eigen::Index>(course.data.training.width)};
  widths.insert(widths.end(), course.hidden.begin(), course.hidden.end());
  widths.push_back(10);

  network<float> net(widths, seed);
  batches data(course.data, course.batch, seed);
  thalweg::optimizer<float> opt(chain, net.parameters(), options);
  const auto gradients = net.gradients();

  run result;
  clock::duration stepping{};
  clock::duration optimizing{};
  for (long step = 1; step <= course.steps; ++step) {
    const auto start = clock::now();
    const batch& batch = data.next();
    const double loss = net.backward(batch.images, batch.labels).loss;
    const auto backward = clock::now();
    opt.step(gradients, {.loss = loss});
    const auto end = clock::now();
    stepping += end - start;
    optimizing += end - backward;

    if (step != stops[result.curve.size()] * course.steps / 100) continue;
    const auto at_x = opt.evaluation_point();
    result.curve.push_back({step, evaluate(net, course.data, course.data.training, training_sample),
                            evaluate(net, course.data, course.judges, course.judges.size())});
    passing(result.curve.back());
  }
  result.seconds_a_step = seconds(stepping) / static_cast<double>(course.steps);
  result.optimizer_share = seconds(optimizing) / seconds(stepping);
  return result;
}

}  // namespace race
