// The Hessian by libtorch's double backward, against one in closed form and against differences of gradients.
#include <torch/torch.h>
#undef CHECK  // its logging has one, too

#include <cmath>
#include <functional>
#include <memory>

#include <doctest/doctest.h>

#include "../../examples/race/torch/learner.hpp"
#include "../../examples/valley/curvature.hpp"
#include "../../examples/valley/place.hpp"

using namespace valley;
using doctest::Approx;

namespace {

namespace nn = ::torch::nn;

struct smooth final : race::network_of_tensors {
  nn::Linear below{nullptr}, above{nullptr};
  smooth() {
    below = register_module("below", nn::Linear(5, 6));
    above = register_module("head", nn::Linear(6, 3));
  }
  ::torch::Tensor forward(const ::torch::Tensor& x) override { return above(::torch::tanh(below(x))); }
};

struct regression final : race::network_of_tensors {
  nn::Linear head{nullptr};
  regression() { head = register_module("head", nn::Linear(2, 3)); }
  ::torch::Tensor forward(const ::torch::Tensor& x) override { return head(x); }
};

std::unique_ptr<race::model> model_of(std::function<std::shared_ptr<race::network_of_tensors>()> network,
                                      const race::tensors& fixed) {
  return race::torch_task({.about = {},
                           .data = {.batches = [=](unsigned) { return [=] { return fixed; }; }, .fixed = fixed, .training = {},
                                    .held_out = {}},
                           .network = std::move(network)})
      ->start(1);
}

vector waves(Eigen::Index n) {
  vector v(n);
  for (Eigen::Index i = 0; i < n; ++i) v[i] = std::sin(static_cast<double>(3 * i + 1));
  return v;
}

}  // namespace

TEST_CASE("softmax regression, differentiated twice by libtorch") {
  // As in hessian.cpp: one image (1, 2), zero weights, H d = (q xᵀ, q) with q = (o' - mean(o')) / 3.
  const auto model = model_of([] { return std::make_shared<regression>(); },
                              {::torch::tensor({{1.0f, 2.0f}}), ::torch::zeros({1}, ::torch::kLong)});
  const vector direction{{1, 0, 0, 1, -1, 2, 0.5, 0, 0}};
  const double mean = 6.5 / 3;
  const vector q{{(1.5 - mean) / 3, (2 - mean) / 3, (3 - mean) / 3}};
  const vector expected{{q[0], 2 * q[0], q[1], 2 * q[1], q[2], 2 * q[2], q[0], q[1], q[2]}};
  const vector home = place_of(model->parameters());
  REQUIRE(home.norm() > 0);
  CHECK((hessian_at(*model, vector::Zero(9))(direction) - expected).norm() < 1e-5);
  CHECK((place_of(model->parameters()) - home).norm() == 0);
  CHECK(dominant_at(*model, vector::Zero(9), 2).curvatures[1] == Approx(2).epsilon(1e-3));
}

TEST_CASE("the double backward agrees with differences of gradients") {
  ::torch::manual_seed(3);
  const auto model = model_of([] { return std::make_shared<smooth>(); },
                              {::torch::randn({20, 5}), ::torch::randint(3, {20}, ::torch::kLong)});
  const vector place = place_of(model->parameters());
  const auto exact = hessian_at(*model, place), differences = differences_at(*model, place);
  for (const double scale : {1.0, 1e-3, 100.0}) {
    const vector direction = scale * waves(place.size());
    const vector product = exact(direction);
    REQUIRE(product.norm() > 1e-3 * scale);
    CHECK((differences(direction) - product).norm() < 1e-3 * product.norm());
  }
  // H is symmetric.
  const vector a = waves(place.size()), b = vector::Ones(place.size());
  CHECK(a.dot(exact(b)) == Approx(b.dot(exact(a))).epsilon(1e-4));
  CHECK(dominant_at(*model, place, 3).curvatures[0] ==
        Approx(top_eigenpairs(differences, place.size(), 3, 1e-3).curvatures[0]).epsilon(1e-3));
}
