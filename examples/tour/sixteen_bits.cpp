// Weights and gradients in bfloat16: exact, rounded by chance, and rounded to nearest.
// snippet: sixteen_bits
#include <array>
#include <cmath>
#include <cstdio>
#include <vector>

#include <thalweg/thalweg.hpp>
using namespace thalweg;

/// Trains 64 weights from 1 towards 1.1, 1.2, … and returns the distance at the end.
double distance(weights_in weights, state_in state) {
  std::vector<bfloat16> w(64, bfloat16(1)), gradient(64);
  const auto goal = [](std::size_t i) { return 1.1f + 0.1f * static_cast<float>(i % 8); };
  const std::vector<parameter<float>> parameters{{.name = "w", .shape = {64}, .data = w.data()}};
  optimizer<float> opt("adamw", parameters, {.lr = 1e-3, .state = state, .weights = weights, .seed = 1});
  for (int step = 0; step < 2000; ++step) {
    for (std::size_t i = 0; i < w.size(); ++i) gradient[i] = bfloat16(float(w[i]) - goal(i));
    opt.step(std::array{gradient});
  }
  std::vector<float> x(64);
  opt.averaged(0, x);  // in float32, with the lower halves of exact weights
  double sum = 0;
  for (std::size_t i = 0; i < x.size(); ++i) sum += std::pow(x[i] - goal(i), 2);
  return std::sqrt(sum / 64);
}

int main() {
  const double exact = distance(weights_in::exact, state_in::bfloat16);             // 8 bytes a weight, and the gradient
  const double by_chance = distance(weights_in::stochastic, state_in::eight_bits);  // 4 bytes
  const double nearest = distance(weights_in::nearest, state_in::bfloat16);         // 6 bytes
  std::printf("exact %.4f, by chance %.4f, nearest %.4f\n", exact, by_chance, nearest);
  return exact < 0.01 && by_chance < 0.01 && nearest > 0.4 ? 0 : 1;
}
// end
