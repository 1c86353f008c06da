#pragma once
// The training loop, one for all tasks and contenders: batch → model → gradients → step.

#include <array>
#include <chrono>
#include <memory>
#include <vector>

#include <thalweg/text.hpp>

#include "task.hpp"

namespace race {

struct point {
  long step = 0;
  score training;  // on the first training examples, like the validation: no gradient, no batch's luck
  score validation;
};

struct run {
  std::vector<point> curve;
  double seconds_a_step = 0;
  double optimizer_share = 0;  // of those seconds
};

// Where one might stop, in % of the budget: evenly on a logarithmic axis.
inline constexpr std::array stops{1, 2, 3, 4, 5, 7, 10, 13, 16, 20, 25, 30, 36, 43, 50, 60, 70, 80, 90, 100};

// Trains a fresh model with the chain, for at least 100 steps, so that no two stops fall together. `passing(point)` is
// called at every point of the curve.
template <class Passing>
run train(const task& task, const thalweg::parsed_chain& chain, const thalweg::options& options, long steps,
          unsigned seed, Passing passing) {
  using clock = std::chrono::steady_clock;
  const auto seconds = [](clock::duration d) { return std::chrono::duration<double>(d).count(); };

  const std::unique_ptr<model> trained = task.start(seed);
  auto& opt = trained->bind(chain, options);

  run result;
  clock::duration stepping{};
  clock::duration optimizing{};
  for (long step = 1; step <= steps; ++step) {
    const auto start = clock::now();
    const double loss = trained->differentiate(examples::next);
    const auto backward = clock::now();
    trained->step(loss);
    const auto end = clock::now();
    stepping += end - start;
    optimizing += end - backward;

    if (step != stops[result.curve.size()] * steps / 100) continue;
    const auto at_x = opt.evaluation_point();
    result.curve.push_back({step, trained->judge(judged_on::training), trained->judge(judged_on::held_out)});
    passing(result.curve.back());
  }
  result.seconds_a_step = seconds(stepping) / static_cast<double>(steps);
  result.optimizer_share = seconds(optimizing) / seconds(stepping);
  return result;
}

}  // namespace race
