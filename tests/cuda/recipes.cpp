// The recipes that the library for GPUs holds compiled.
#include <string>

#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>
#include <thalweg/cuda.hpp>

#include "model_on_device.hpp"

using namespace thalweg;

TEST_CASE("cuda: a compiled recipe, chosen at run time, steps as the host's") {
  const options settings{.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 2};
  const auto check = [&](const auto& recipe, double allowed) {
    test::model<float> host(test::small_layers());
    test::model_on_device<float> m(test::small_layers());
    optimizer<float> expected(recipe, host.parameters(), settings);
    cuda::bound_recipe opt(cuda::recipe(recipe), m.parameters(), settings);
    host.train(expected, 1, 4);
    m.train(opt, 1, 4);
    CHECK(opt.steps() == 4);
    const auto y = m.values.get();
    CHECK(test::distance(y, host.values) <= allowed);
    {
      const auto on_host = expected.evaluation_point();
      const auto on_device = opt.evaluation_point();
      CHECK(test::distance(m.values.get(), host.values) <= allowed);
    }
    CHECK(test::same_bits(m.values.get(), y));
    CHECK(opt.describe().find("cuda: ") != std::string::npos);
  };
  check(recipes::adamw(), 2e-6);
  check(recipes::lion(), 2e-6);
  check(recipes::sf_adamw(), 2e-6);
  check(recipes::sgd({.momentum = 0.9}), 2e-6);
  check(recipes::amuse(), 2e-3);
  check(recipes::muon(), 2e-3);
}
