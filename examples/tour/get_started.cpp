// A first program: it fits y = W x + b to samples.
// snippet: get_started
#include <cstdio>
#include <random>
#include <vector>

#include <thalweg/thalweg.hpp>
using namespace thalweg;

int main() {
  constexpr std::size_t rows = 4, cols = 8;
  std::vector<float> weights(rows * cols), bias(rows), weights_gradient(rows * cols), bias_gradient(rows), x(cols);

  // 1. Say where the parameters are in memory, and what they are.
  const std::vector parameters{as_parameter("weights", weights, {rows, cols}, role::hidden), as_parameter("bias", bias)};

  // 2. Bind an optimizer: a recipe, a chain of your own or a text.
  auto opt = optimizer("amuse(beta1_steps=375)", parameters, {.lr = 0.05, .warmup_steps = 50});
  std::puts(opt.describe().c_str());

  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  const auto backward = [&] {  // one sample: the loss, and its gradients
    for (float& value : x) value = normal(random);
    float loss = 0;
    for (std::size_t i = 0; i < rows; ++i) {
      float error = bias[i] - 1;  // the target: W is 1 on the diagonal, b is 1
      for (std::size_t j = 0; j < cols; ++j) error += (weights[i * cols + j] - (i == j)) * x[j];
      for (std::size_t j = 0; j < cols; ++j) weights_gradient[i * cols + j] = error * x[j];
      bias_gradient[i] = error;
      loss += error * error / 2;
    }
    return loss;
  };

  // 3. Compute the gradients, and step.
  for (int step = 0; step < 1000; ++step) {
    backward();
    opt.step({weights_gradient, bias_gradient});
  }

  // 4. Evaluate at the average, which is better than the last weights.
  float loss = 0;
  const auto at_x = opt.evaluation_point();
  for (int sample = 0; sample < 100; ++sample) loss += backward() / 100;
  std::printf("loss %.1e\n", static_cast<double>(loss));
  return loss < 1e-2f ? 0 : 1;
}
// end
