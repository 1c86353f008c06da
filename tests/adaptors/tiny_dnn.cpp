#include <thalweg/adaptors/tiny_dnn.hpp>
#include <thalweg/thalweg.hpp>
#include <thalweg/thalweg.hpp>

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "../message.hpp"

namespace {

using namespace thalweg;
using test::message;
namespace td = thalweg::tiny_dnn;
namespace layers = ::tiny_dnn;
using network = layers::network<layers::sequential>;
using identity = layers::activation::identity;

// 5 × 4 pixels, 2 channels → 3 channels → 6 → 2.
network filters_and_matrices() {
  layers::set_random_seed(3);
  network net;
  net << layers::convolutional_layer<identity>(5, 4, 3, 2, 3) << layers::fully_connected_layer<identity>(3 * 2 * 3, 6)
      << layers::dropout_layer(6, 0.5f) << layers::fully_connected_layer<identity>(6, 2, /*has_bias=*/false);
  net.init_weight();
  return net;
}

layers::vec_t gradient_of(const td::parameter& p, int step) {
  layers::vec_t g;
  for (std::size_t i = 0; i < p.values->size(); ++i)
    g.push_back(static_cast<float>((i * 37 + p.name.size() * 11 + static_cast<std::size_t>(step) * 5) % 13) - 6);
  return g;
}
template <class Optimizer>
void batch(Optimizer& opt, const std::vector<td::parameter>& parameters, int step) {
  for (const auto& p : parameters) opt.update(gradient_of(p, step), *p.values, true);
}
std::vector<layers::vec_t> values_of(const std::vector<td::parameter>& parameters) {
  std::vector<layers::vec_t> all;
  for (const auto& p : parameters) all.push_back(*p.values);
  return all;
}

const auto looks_at_all = clip_by_global_norm{.max_norm = 0.5} | recipes::amuse();
const options settings{.lr = 0.1, .weight_decay = 0.1, .warmup_steps = 2};

TEST_CASE("names, shapes and roles of a network's weights") {
  auto net = filters_and_matrices();
  const auto found = td::parameters_of(net);
  REQUIRE(found.size() == 5);
  const auto is = [&](std::size_t i, const char* name, std::vector<std::size_t> shape, role r, storage_order order) {
    CHECK(found[i].name == name);
    CHECK(found[i].shape == shape);
    CHECK(found[i].role == r);
    CHECK(found[i].order == order);
  };
  is(0, "0.conv.weight", {3, 2, 3, 3}, role::hidden, storage_order::row_major);
  is(1, "0.conv.bias", {3}, role::hidden, storage_order::row_major);
  is(2, "1.fully-connected.weight", {6, 18}, role::hidden, storage_order::column_major);
  is(3, "1.fully-connected.bias", {6}, role::hidden, storage_order::row_major);
  is(4, "3.fully-connected.weight", {2, 6}, role::head, storage_order::column_major);

  net[1]->set_trainable(false);
  CHECK(td::parameters_of(net).size() == 3);
}

TEST_CASE("a fully connected layer's weights are (outputs, inputs), by columns") {
  network net;
  net << layers::fully_connected_layer<identity>(2, 3);
  net.init_weight();
  const auto p = td::parameters_of(net).front();
  for (std::size_t input = 0; input < 2; ++input) {
    layers::vec_t x(2, 0);
    x[input] = 1;
    const auto y = net.predict(x);
    for (std::size_t output = 0; output < 3; ++output) CHECK(y[output] == (*p.values)[input * p.shape[0] + output]);
  }
}

TEST_CASE("a convolution's weights are (outputs, inputs, height, width)") {
  network net;
  net << layers::convolutional_layer<identity>(3, 2, 3, 2, 2, 3);  // one window of 3 × 2, 2 channels → 3
  net.init_weight();
  const auto p = td::parameters_of(net).front();
  REQUIRE(p.shape == std::vector<std::size_t>{3, 2, 2, 3});
  for (std::size_t in = 0; in < 12; ++in) {
    layers::vec_t x(12, 0);
    x[in] = 1;
    const auto y = net.predict(x);
    for (std::size_t out = 0; out < 3; ++out) CHECK(y[out] == (*p.values)[out * 12 + in]);
  }
}

TEST_CASE("one step a batch, as the core takes it, also where a chain looks at all parameters") {
  auto net = filters_and_matrices();
  td::optimizer opt(looks_at_all, net, settings);
  const auto parameters = opt.parameters();

  auto values = values_of(parameters);
  std::vector<thalweg::parameter<float>> views;
  for (std::size_t i = 0; i < values.size(); ++i)
    views.push_back(
        {parameters[i].name, parameters[i].shape, parameters[i].role, values[i].data(), parameters[i].order});
  auto twin = thalweg::optimizer(looks_at_all, views, settings);

  for (int step = 0; step < 5; ++step) {
    std::vector<layers::vec_t> gradients;
    for (const auto& p : parameters) gradients.push_back(gradient_of(p, step));
    batch(opt, parameters, step);
    twin.step(gradients);
    CHECK(opt.steps() == step + 1);
  }
  CHECK(values_of(parameters) == values);

  const auto y = values;
  std::vector<float> x(parameters[2].values->size());
  opt.averaged(2, x);
  {
    const auto at_x = opt.evaluation_point();
    const auto twin_at_x = twin.evaluation_point();
    CHECK(values_of(parameters) == values);
    CHECK(values != y);
    CHECK(std::vector<float>(values[2].begin(), values[2].end()) == x);
  }
  CHECK(values_of(parameters) == y);
}

TEST_CASE("reset forgets, and starts from the weights as they are") {
  auto net = filters_and_matrices();
  td::optimizer opt(looks_at_all, net, settings);
  const auto parameters = opt.parameters();
  for (int step = 0; step < 3; ++step) batch(opt, parameters, step);
  const auto start = values_of(parameters);
  opt.update(gradient_of(parameters[0], 9), *parameters[0].values, true);  // half a batch
  opt.reset();
  CHECK(opt.steps() == 0);
  batch(opt, parameters, 4);
  const auto anew = values_of(parameters);

  for (std::size_t i = 0; i < start.size(); ++i) *parameters[i].values = start[i];
  td::optimizer fresh(looks_at_all, net, settings);
  batch(fresh, parameters, 4);
  CHECK(values_of(parameters) == anew);
}

TEST_CASE("memory that was replaced is neither read nor written, until reset") {
  auto net = filters_and_matrices();
  td::optimizer opt(looks_at_all, net, settings);
  const auto parameters = opt.parameters();
  batch(opt, parameters, 0);
  auto& weights = *net[1]->weights()[0];
  layers::vec_t fresh(weights.size(), 2);
  std::vector<float> x(weights.size());

  SUBCASE("by another vector's") { weights = std::move(fresh); }
  SUBCASE("by more of it") { weights.resize(2 * weights.capacity()); }
  SUBCASE("by less of it, at the same place") { weights.resize(1); }

  const auto refused = [&](const char* where, const auto& call) {
    CHECK(message(call) == std::string("[") + where + "] Expected '1.fully-connected.weight' in the memory in which it "
                           "was bound. Received it in another; call reset().");
  };
  const auto now = values_of(parameters);
  refused("evaluation_point", [&] { (void)opt.evaluation_point(); });
  refused("averaged", [&] { opt.averaged(2, x); });
  refused("engine", [&] { (void)opt.engine(); });
  CHECK(values_of(parameters) == now);

  weights = layers::vec_t(x.size(), 2);
  opt.reset();
  opt.averaged(2, x);
  CHECK(x == std::vector<float>(x.size(), 2));
  CHECK(opt.engine().steps() == 0);
  { const auto at_x = opt.evaluation_point(); }

  for (const auto& p : parameters) {  // in the middle of a batch, after its own gradient came
    const auto update = [&] { opt.update(gradient_of(p, 1), *p.values, true); };
    if (p.name == parameters.back().name) refused("update", update);
    else update();
    if (p.name == "1.fully-connected.weight") weights = layers::vec_t(layers::vec_t(x.size(), 3));
  }
  CHECK(weights == layers::vec_t(x.size(), 3));
}

TEST_CASE("a shape that is not that of the values is refused, when it is bound and at reset") {
  auto net = filters_and_matrices();
  const std::string says =
      "[as_parameter] Expected the 108 elements of shape (6, 18) for '1.fully-connected.weight'. Received 7.";
  const auto given = td::parameters_of(net);
  td::optimizer opt(looks_at_all, given, settings);
  batch(opt, given, 0);
  const auto kept = *given[2].values;
  given[2].values->resize(7);
  CHECK(message([&] { opt.reset(); }) == says);
  CHECK(message([&] { td::optimizer(looks_at_all, given, settings); }) == says);
  *given[2].values = kept;
  opt.reset();
  batch(opt, given, 0);
  CHECK(opt.steps() == 1);
}

TEST_CASE("an lr that was set survives reset, and so `fit`") {
  auto net = filters_and_matrices();
  td::optimizer opt(recipes::sgd(), net, {.lr = 0.1});
  opt.reset();
  CHECK(opt.lr() == 0.1);
  opt.lr(0.5);
  opt.reset();
  CHECK(opt.lr() == 0.5);
  CHECK(message([&] { opt.lr(-1); }).starts_with("[optimizer] Expected lr"));
  opt.reset();
  CHECK(opt.lr() == 0.5);

  const float before = (*opt.parameters()[1].values)[0];
  for (const auto& p : opt.parameters()) opt.update(layers::vec_t(p.values->size(), 1.f), *p.values, true);
  CHECK((*opt.parameters()[1].values)[0] == doctest::Approx(before - 0.5f));

  opt.engine().lr(0.25);
  const std::vector<layers::vec_t> x(8, layers::vec_t(40, 0.1f)), y(8, layers::vec_t(2, 0.f));
  net.fit<layers::mse>(opt, x, y, 4, 1);
  CHECK(opt.lr() == 0.25);
}

TEST_CASE("at x nothing is trained or reset") {
  auto net = filters_and_matrices();
  td::optimizer opt(looks_at_all, net, settings);
  const auto parameters = opt.parameters();
  batch(opt, parameters, 0);
  const auto y = values_of(parameters);
  {
    const auto at_x = opt.evaluation_point();
    CHECK(message([&] { batch(opt, parameters, 1); }) ==
          "[step] Expected the parameters at y. Received them at x: end the evaluation point first.");
    CHECK(message([&] { opt.reset(); }) ==
          "[reset] Expected the parameters at y. Received them at x: end the evaluation point first.");
  }
  CHECK(values_of(parameters) == y);
  batch(opt, parameters, 1);
  CHECK(opt.steps() == 2);
}

TEST_CASE("weight vectors that are not the bound ones, or not in their order, are refused; the next batch goes on") {
  auto net = filters_and_matrices(), other = filters_and_matrices();
  td::optimizer opt(looks_at_all, net, settings);
  const auto parameters = opt.parameters();
  const auto start = values_of(parameters);
  const auto update = [&](const td::parameter& p) {
    return message([&] { opt.update(gradient_of(p, 0), *p.values, true); });
  };
  CHECK(update(td::parameters_of(other)[0]).starts_with("[update] Expected '0.conv.weight', as the network was"));
  CHECK(update(parameters[0]) == "nothing was thrown");
  CHECK(update(parameters[0]).starts_with("[update] Expected '0.conv.bias'"));

  auto elsewhere = *parameters[0].values;
  elsewhere.swap(*parameters[0].values);
  CHECK(update(parameters[0]) ==
        "[update] Expected '0.conv.weight' in the memory in which it was bound. Received it in another; call reset().");
  elsewhere.swap(*parameters[0].values);
  CHECK(values_of(parameters) == start);
  CHECK(message([&] { opt.update({1, 2}, *parameters[0].values, true); }) == "nothing was thrown");
  for (std::size_t i = 1; i + 1 < parameters.size(); ++i) update(parameters[i]);
  CHECK(update(parameters.back()).starts_with("[step] Expected a gradient of 54 elements for '0.conv.weight'"));
  CHECK(values_of(parameters) == start);
  batch(opt, parameters, 0);
  CHECK(opt.steps() == 1);
}

TEST_CASE("a network is fitted, from the weights that `fit` initialises") {
  layers::set_random_seed(2);
  network net;
  net << layers::fully_connected_layer<identity>(2, 1);
  td::optimizer opt(recipes::sf_adamw(), net, {.lr = 0.05});  // before there are weights
  std::vector<layers::vec_t> x, y;
  for (int i = 0; i < 64; ++i) {
    x.push_back({static_cast<float>(i % 8) / 4 - 1, static_cast<float>(i / 8) / 4 - 1});
    y.push_back({3 * x.back()[0] - 2 * x.back()[1] + 1});
  }
  int batches = 0;
  float validated = 0;
  const auto validate = [&] {
    const auto at_x = opt.evaluation_point();
    validated = net.predict({0.5f, -0.5f})[0];
  };
  net.fit<layers::mse>(opt, x, y, 8, 50, [&] { ++batches; }, validate);
  CHECK(opt.steps() == batches);
  CHECK(opt.describe().find("compiled for") != std::string::npos);
  CHECK(validated == doctest::Approx(3.5).epsilon(0.02));
  CHECK(net.predict({0.5f, -0.5f})[0] != validated);  // y
  const auto at_x = opt.evaluation_point();
  CHECK(net.predict({0.5f, -0.5f})[0] == validated);
}

TEST_CASE("a network without weights is refused, and bad settings at once") {
  network net;
  net << layers::dropout_layer(6, 0.5f);
  CHECK(message([&] { td::optimizer(recipes::adamw(), net, {}); }) ==
        "[optimizer] Expected at least one parameter. Received none.");
  auto good = filters_and_matrices();
  CHECK(message([&] { td::optimizer(recipes::adamw(), good, {.lr = -1}); }).starts_with("[optimizer] Expected lr"));
}

}  // namespace
