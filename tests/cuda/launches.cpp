// What a step asks of CUDA, counted by the tests' double of it.
#include <cstddef>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/cuda/optimizer.hpp>
#include <thalweg/recipes/adamw.hpp>
#include <thalweg/recipes/sf_adamw.hpp>
#include <thalweg/transforms.hpp>

#include "beside_host.hpp"
#include "model_on_device.hpp"

using namespace thalweg;
using test::model;
using test::model_on_device;

namespace {

const options settings{.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 3};

auto& counted() { return emulated::the_device(); }

}  // namespace

TEST_CASE("cuda: a thousand parameters take one launch a stage; a step allocates nothing and waits for nothing") {
  std::vector<test::layer> layers;
  for (std::size_t i = 0; i < 1000; ++i) layers.push_back({in_words("p", i), {1 + i % 7}});
  model_on_device<float> m(layers);
  auto opt = cuda::optimizer(recipes::adamw(), m.parameters(), settings);
  auto gradients = m.gradients.spans();
  const auto launches_of_a_step = [&] {
    const auto before = counted();
    opt.step(gradients);
    CHECK(counted().allocations == before.allocations);
    CHECK(counted().synchronizations == before.synchronizations);
    return counted().launches - before.launches;
  };
  CHECK(launches_of_a_step() == 1 + 3);  // of which some tell where the gradients are
  CHECK(launches_of_a_step() == 1);
  test::arrays_on_device<float> others(m.host.gradients);
  gradients[999] = others[999];
  CHECK(launches_of_a_step() > 1);
  CHECK(launches_of_a_step() == 1);

  model<float> host(layers);
  auto expected = optimizer(recipes::adamw(), host.parameters(), settings);
  for (int t = 0; t < 4; ++t) expected.step(host.gradients);
  CHECK(test::distance(m.values.get(), host.values) <= test::rounding<float>);
}

TEST_CASE("cuda: a launch that fails is told, and the step is none") {
  model_on_device<float> m(test::small_layers());
  auto opt = cuda::optimizer(recipes::adamw(), m.parameters(), settings);
  m.train(opt, 1, 1);
  const auto before = m.values.get();
  counted().next_launch = cudaErrorLaunchFailure;
  CHECK_THROWS_WITH_AS(
      opt.step(m.gradients.spans()),
      "[cuda] Expected a kernel that starts. Received cudaErrorLaunchFailure (unspecified launch failure).", error);
  CHECK(test::same_bits(m.values.get(), before));
  CHECK(opt.steps() == 1);
}

TEST_CASE("cuda: an optimizer is asked on its own device, with that one's memory") {
  model_on_device<float> m(test::small_layers());
  auto opt = cuda::optimizer(recipes::sf_adamw(), m.parameters(), settings);
  m.train(opt, 1, 1);
  const auto refused = [](auto f, const char* message) { CHECK_THROWS_WITH_AS(f(), message, error); };
  test::arrays_on_device<float> out(m.host.values);
  CHECK(cudaSetDevice(1) == cudaSuccess);
  const char* const wrong =
      "[cuda] Expected device 0 to be current, as when the optimizer was made. Received device 1.";
  refused([&] { opt.step(m.gradients.spans()); }, wrong);
  refused([&] { static_cast<void>(opt.evaluation_point()); }, wrong);
  refused([&] { opt.averaged(0, out[0]); }, wrong);
  refused([&] { opt.save("nowhere"); }, wrong);
  refused([&] { opt.load("nowhere"); }, wrong);
  refused([&] { cuda::optimizer(recipes::adamw(), m.parameters(), settings); },
          "[cuda] Expected memory of the current device as the parameter 'w1'. Received another device's.");
  const test::arrays_on_device<float> elsewhere(m.host.gradients);
  CHECK(cudaSetDevice(0) == cudaSuccess);
  refused([&] { opt.step(elsewhere.spans()); },
          "[cuda] Expected memory of the current device as the gradient of 'w1'. Received another device's.");
  CHECK(opt.steps() == 1);
  m.train(opt, 2, 2);
}
