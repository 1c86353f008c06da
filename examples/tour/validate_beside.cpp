// Validates on another thread while training continues.
#include <cstdio>
#include <future>
#include <random>
#include <vector>

#include <thalweg/thalweg.hpp>
using namespace thalweg;

namespace {

// y = Σ w x, fitted to noisy samples of known weights.
struct network {
  std::vector<float> weights = std::vector<float>(8);
};
struct sample {
  std::vector<float> x;
  float y;
};

std::vector<sample> draw(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<sample> all(n, {std::vector<float>(8), 0});
  for (auto& s : all) {
    for (std::size_t j = 0; j < 8; ++j) s.y += static_cast<float>(j) * (s.x[j] = normal(random));
    s.y += 0.1f * normal(random);
  }
  return all;
}

float error(const network& model, const sample& s) {
  float e = -s.y;
  for (std::size_t j = 0; j < 8; ++j) e += model.weights[j] * s.x[j];
  return e;
}
void backward(const network& model, const sample& s, std::vector<float>& gradient) {
  const float e = error(model, s);
  for (std::size_t j = 0; j < 8; ++j) gradient[j] = e * s.x[j];
}
double validate(const network& model) {
  double loss = 0;
  for (const auto& s : draw(500, 2)) loss += error(model, s) * error(model, s) / 1000;
  return loss;
}

}  // namespace

int main() {
  network model;
  std::vector<float> gradient(8);
  const auto data = draw(2000, 1);
  std::vector<std::future<double>> losses;

  // snippet: validate_beside
  auto opt = optimizer(recipes::sf_adamw(), std::vector{as_parameter("weights", model.weights)},
                       {.lr = 0.1, .warmup_steps = 50});
  for (const auto& sample : data) {
    backward(model, sample, gradient);
    opt.step({gradient});
    if (opt.steps() % 500) continue;
    network at_x = model;  // between two steps; the model itself stays at y
    opt.averaged(0, at_x.weights);
    losses.push_back(std::async(std::launch::async, [at_x] { return validate(at_x); }));
  }
  // end

  double last = 0;
  for (auto& loss : losses) std::printf("validation loss %.5f\n", last = loss.get());
  return last < 0.02 ? 0 : 1;
}
