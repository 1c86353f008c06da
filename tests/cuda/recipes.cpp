// What the library for GPUs holds compiled: recipes, and chains from text.
#include <string>

#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>
#include <thalweg/cuda.hpp>

#include "model_on_device.hpp"

using namespace thalweg;

TEST_CASE("cuda: recipes and chains from text, chosen at run time, step as the host's") {
  const options settings{.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 2};
  const auto check = [&](const auto& recipe, double allowed) {
    test::model<float> host(test::small_layers());
    test::model_on_device<float> m(test::small_layers());
    optimizer<float> expected(recipe, host.parameters(), settings);
    auto opt = cuda::optimizer(recipe, m.parameters(), settings);
    host.train(expected, 1, 4);
    m.train(opt, 1, 4);
    CHECK(opt.steps() == expected.steps());
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
  // No recipe has these stages: a kernel is a pass.
  check("clip_by_global_norm(max_norm=0.5) | ema | clip_by_norm(max_norm=0.1) | scale_by_sign | scale(by=0.5)", 2e-6);
  check("accumulate(steps=2) | clip_by_value(limit=0.3) | scheduled(beta1, linear(steps=3, final=0.5), scale_by_adam)",
        2e-6);
  check("route(when(hidden_matrix, orthogonalize_update), otherwise(clip_by_value(1))) | "
        "scheduled(beta, linear(steps=3, final=0.5), nesterov_ema) | update_by_schedule_free",
        2e-3);
}

TEST_CASE("cuda: a transform that is not compiled for a device is refused by name") {
  test::model_on_device<float> m(test::small_layers());
  CHECK_THROWS_WITH_AS(cuda::optimizer("route(when(hidden_matrix, scale_by_shampoo), otherwise(ema))", m.parameters(), {}),
                       "[cuda] Expected transforms that are compiled for a device. Received scale_by_shampoo.", error);
}
