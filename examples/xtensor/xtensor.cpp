// A softmax regression written in xtensor: arrays are bound where they are, gradients read where they are.
#include <cstdio>

// snippet: xtensor
#include <thalweg/adaptors/xtensor.hpp>
#include <thalweg/thalweg.hpp>
using namespace thalweg;

struct classifier {  // one sample per row
  xt::xtensor<double, 2> weights = xt::zeros<double>({8, 3});
  xt::xtensor<double, 1> bias = xt::zeros<double>({3});

  std::vector<parameter<double>> parameters() {
    return {as_parameter("weights", weights, role::head), as_parameter("bias", bias)};
  }
};
// end

namespace {

using matrix = xt::xtensor<double, 2>;

// Lazy reductions that keep dimensions are broadcast wrongly by some versions of xtensor.
const auto by_rows = xt::keep_dims | xt::evaluation_strategy::immediate;

struct gradients {
  xt::xtensor<double, 2> weights;
  xt::xtensor<double, 1> bias;
};

// xtensor's own product is in another library.
matrix product(const matrix& a, const matrix& b) {
  matrix c = xt::zeros<double>({a.shape(0), b.shape(1)});
  for (std::size_t i = 0; i < a.shape(0); ++i)
    for (std::size_t k = 0; k < a.shape(1); ++k)
      for (std::size_t j = 0; j < b.shape(1); ++j) c(i, j) += a(i, k) * b(k, j);
  return c;
}

/// The mean cross entropy, and its gradients.
double backward(const classifier& model, const matrix& x, const matrix& one_hot, gradients& g) {
  const matrix scores = product(x, model.weights) + model.bias;
  const matrix powers = xt::exp(scores - xt::amax(scores, {1}, by_rows));
  const matrix probability = powers / xt::sum(powers, {1}, by_rows);
  const matrix error = (probability - one_hot) / static_cast<double>(x.shape(0));
  g.weights = product(xt::transpose(x), error);
  g.bias = xt::sum(error, {0});
  return -xt::mean(xt::sum(one_hot * xt::log(probability), {1}))();
}

template <class Chain>
bool train(const char* name, const Chain& chain, const options& o) {
  xt::random::seed(1);
  const matrix centres = xt::random::randn<double>({3, 8});
  matrix x = xt::random::randn<double>({300, 8}), one_hot = xt::zeros<double>({300, 3});
  for (std::size_t i = 0; i < 300; ++i) {
    xt::view(x, i, xt::all()) += 2 * xt::view(centres, i % 3, xt::all());
    one_hot(i, i % 3) = 1;
  }
  classifier model;
  gradients g;
  const double before = backward(model, x, one_hot, g);
  // snippet: xtensor_training
  auto opt = optimizer(chain, model.parameters(), o);
  for (int step = 0; step < 300; ++step) {
    backward(model, x, one_hot, g);
    opt.step({as_gradient(g.weights), as_gradient(g.bias)});
  }
  const auto at_x = opt.evaluation_point();
  const double after = backward(model, x, one_hot, g);
  // end
  std::printf("%-22s loss %.5f -> %.5f\n", name, before, after);
  return after < 0.05;
}

}  // namespace

int main() {
  const auto center = tensorwise("center", [](tensor<double> u) {
    auto update = as_xtensor(u);
    update -= xt::mean(update, xt::evaluation_strategy::immediate)();
  });
  const bool averaged = train("Schedule-Free AdamW", recipes::sf_adamw(), {.lr = 0.05, .warmup_steps = 20});
  const bool composed = train("a chain of one's own", center | heavyball_momentum{}, {.lr = 0.05});
  return averaged && composed ? 0 : 1;
}
