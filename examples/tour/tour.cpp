// A tour of thalweg: chains, a route, a transform of your own, a tensor-wise function, training and evaluation.
#include <cstdio>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

// snippet: chains
#include <thalweg/thalweg.hpp>
using namespace thalweg;

// Muon's momentum inside Schedule-Free averaging, in one expression.
auto sf_muon = nesterov_ema{.beta = 0.95} | orthogonalize_update{} | update_by_schedule_free{.beta = 0.9};

// AMUSE: matrices by Muon, the rest by Adam's second moment, one Schedule-Free average.
auto amuse = route(when(hidden_matrix, nesterov_ema{.beta = 0.95} | orthogonalize_update{.scale = match_rms{0.2}}),
                   otherwise(scale_by_exp_avg_sq{.beta2 = 0.999}))
           | amuse_beta{.beta1 = 0.6, .rho = 0.8}
           | update_by_schedule_free{};
// end

// snippet: sign_momentum
struct sign_momentum {
  double beta = 0.9;
  using states = state<zeros<"momentum">>;
  constexpr auto at(const context&) const {                 // once a step: hyper-parameters become constants
    return [b = beta]<class T>(element<T> e, T momentum) {  // once an element: pure, on values in registers
      momentum = lerp(e.update, momentum, b);
      return next(sign(momentum), momentum);                // the new update, the new state
    };
  }
};
// end

// snippet: center_rows
#include <thalweg/adaptors/eigen.hpp>

auto center_rows = tensorwise("center_rows", [](tensor<float> u) noexcept {
  const Eigen::VectorXf mean = as_matrix(u).rowwise().mean();
  as_matrix(u).colwise() -= mean;
  return u;
});
// end

namespace {

// y = W x, fitted to samples of a known W.
struct model {
  std::vector<float> weights = std::vector<float>(4 * 3), gradient = std::vector<float>(4 * 3);
};

using batch = std::vector<float>;  // one x

float target(std::size_t row, std::size_t col) { return row == col ? 1.0f : 0.25f; }

float backward(model& m, const batch& x) {
  float loss = 0;
  for (std::size_t i = 0; i < 4; ++i) {
    float error = 0;
    for (std::size_t j = 0; j < 3; ++j) error += (m.weights[i * 3 + j] - target(i, j)) * x[j];
    for (std::size_t j = 0; j < 3; ++j) m.gradient[i * 3 + j] = error * x[j];
    loss += error * error / 2;
  }
  return loss;
}

template <class Chain>
float train(const char* name, const Chain& chain, double lr) {
  model m;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<batch> data(400, batch(3));
  for (auto& x : data)
    for (auto& value : x) value = normal(random);

  const std::vector parameters{as_parameter("W", m.weights, {4, 3}, role::hidden)};
  auto opt = optimizer(chain, parameters, {.lr = lr, .warmup_steps = 20});
  for (const auto& x : data) {
    backward(m, x);
    opt.step({m.gradient});
  }
  float loss = 0;
  {
    const auto at_x = opt.evaluation_point();
    for (const auto& x : data) loss += backward(m, x) / static_cast<float>(data.size());
  }
  std::printf("%-14s loss %.2e\n", name, static_cast<double>(loss));
  return loss;
}

struct network {
  std::vector<float> hidden = std::vector<float>(8 * 8, 0.1f), bias = std::vector<float>(8);
};

void backward(const batch& x, std::vector<std::vector<float>>& gradients) {
  for (auto& g : gradients) g.assign(g.size(), x[0]);
}
void validate(const network&) {}

void training() {
  network model;
  const std::vector<batch> data(3, batch{0.5f});
  std::vector<std::vector<float>> gradients{std::vector<float>(64), std::vector<float>(8)};
  // snippet: training
  std::vector parameters{as_parameter("hidden", model.hidden, {8, 8}, role::hidden), as_parameter("bias", model.bias)};
  auto opt = optimizer(amuse, parameters, {.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 100});
  for (auto& batch : data) { backward(batch, gradients); opt.step(gradients); }
  { auto at_x = opt.evaluation_point(); validate(model); }  // the parameters hold x here, and y again afterwards
  // end
  std::puts(opt.describe().c_str());

  const std::string path = (std::filesystem::temp_directory_path() / "thalweg-tour.safetensors").string();
  const auto save_weights = [](const network&) {}, load_weights = save_weights;
  // snippet: checkpoints
  save_weights(model);  // as you always did
  opt.save(path);
  // Some other day:
  load_weights(model);  // first: the checkpoint has checksums of the weights
  auto resumed = optimizer(amuse, parameters, {.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 100});
  resumed.load(path);
  // end
  std::filesystem::remove(path);
}

}  // namespace

int main() {
  training();
  bool learned = true;
  learned &= train("sf_muon", sf_muon, 0.1) < 0.05f;
  learned &= train("amuse", amuse, 0.03) < 0.1f;
  learned &= train("sign_momentum", linear{.steps = 400} | sign_momentum{} | apply_update{}, 0.03) < 0.05f;
  learned &= train("center_rows", linear{.steps = 400} | center_rows | heavyball_momentum{}, 0.02) < 1.3f;  // of 1.8: row means stay, and cost 1.2
  return learned ? 0 : 1;
}
