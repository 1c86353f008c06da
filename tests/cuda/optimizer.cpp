// The optimizer of a device's memory beside the host's.
#include <algorithm>
#include <cstddef>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/cuda/optimizer.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>
#include <thalweg/recipes/adamw.hpp>
#include <thalweg/recipes/amuse.hpp>
#include <thalweg/recipes/lamb.hpp>
#include <thalweg/recipes/muon.hpp>
#include <thalweg/recipes/sf_adamw.hpp>
#include <thalweg/transforms.hpp>

#include "../checkpoint/files.hpp"
#include "beside_host.hpp"
#include "model_on_device.hpp"
#include "own_stream.hpp"

using namespace thalweg;
using test::model;
using test::model_on_device;
using test::own_stream;

namespace {

const options settings{.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 3};

struct sign_momentum {
  double beta = 0.9;
  using states = state<zeros<"momentum">>;
  constexpr auto at(const context&) const {
    return [b = beta]<class T>(element<T> e, T momentum) {
      momentum = lerp(e.update, momentum, b);
      return next(sign(momentum), momentum);
    };
  }
};

template <class T, class Chain>
void check_like_host(const Chain& chain, const std::vector<test::layer>& layers, std::size_t offset = 0,
                     std::size_t of_gradients = 0, double allowed = test::rounding<T>) {
  const auto seen = test::beside_host<T>(chain, settings, layers, offset, of_gradients);
  CHECK(seen.travelled > 1e-3);
  CHECK(seen.apart_at_y <= allowed);
  CHECK(seen.apart_at_x <= 4 * allowed);
  CHECK(seen.y_is_back);
  CHECK(seen.sentinels_stand);
}

std::string message_of(auto f) {
  try {
    f();
  } catch (const error& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("cuda: element-wise chains step as on the host") {
  check_like_host<float>(recipes::adamw(), test::varied_layers());
  check_like_host<double>(recipes::adamw(), test::varied_layers());
  check_like_host<float>(recipes::sf_adamw(), test::varied_layers());
  check_like_host<double>(recipes::sf_adamw(), test::varied_layers());
  check_like_host<float>(sign_momentum{.beta = 0.8} | clip_by_value{.limit = 0.3}, test::varied_layers());
}

namespace {

struct from_table {  // no constant expression: it stays on the host
  std::vector<double> factors = {1, 0.5, 0.25};
  context at(context c) const {
    c.lr *= factors[static_cast<std::size_t>(c.step) % factors.size()];
    return c;
  }
};

}  // namespace

TEST_CASE("cuda: what makes the context is the host's own") {
  check_like_host<float>(from_table{} | sign_momentum{.beta = 0.8}, test::small_layers());
}

TEST_CASE("cuda: arrays of any length and alignment, and nothing beside them") {
  for (const std::size_t offset : {0, 1, 2, 3}) {
    CAPTURE(offset);
    check_like_host<float>(recipes::adamw(), test::lengths(), offset);
    check_like_host<float>(recipes::adamw(), test::lengths(), 0, offset);
    check_like_host<double>(clip_by_norm{.max_norm = 0.3} | recipes::adamw(), test::lengths(), offset, offset);
  }
}

TEST_CASE("cuda: routes, each with lr, decay and states of its own") {
  const auto chain = route(when(hidden_matrix, nesterov_ema{} | scale_lr{.by = 0.3}),
                           when(is_embedding, scale_by_sign{}), otherwise(scale_by_adam{} | decay_weights{})) |
                     update_by_schedule_free{};
  check_like_host<float>(chain, test::varied_layers());
  check_like_host<float>(route(when(is_embedding, ema{}), otherwise(scale_by_sign{})), {{"no embedding", {5, 3}}});
}

TEST_CASE("cuda: parameters with factors of their own, also where all wait for one sum") {
  auto layers = test::varied_layers();
  layers[0].lr_factor = 0.5;
  layers[1].weight_decay_factor = 0;
  layers.back().lr_factor = 0.25;
  check_like_host<float>(recipes::adamw(), layers);
  check_like_host<float>(clip_by_global_norm{.max_norm = 0.5} | recipes::muon(), layers, 1, 1, 2e-3);
}

TEST_CASE("cuda: sums over each parameter and over the model stay on the device") {
  check_like_host<float>(recipes::lamb(), test::varied_layers());
  check_like_host<double>(recipes::lamb(), test::lengths());
  check_like_host<float>(clip_by_global_norm{.max_norm = 0.5} | scale_by_adam{} | clip_by_norm{.max_norm = 0.1},
                         test::varied_layers());
  check_like_host<double>(ema{} | clip_by_global_norm{.max_norm = 0.5} | scale_by_rms{} | clip_by_global_norm{},
                          test::varied_layers());
  check_like_host<float>(route(when(hidden_matrix, ema{} | clip_by_global_norm{.max_norm = 0.1}),
                               otherwise(clip_by_norm{.max_norm = 0.2})) |
                             clip_by_global_norm{.max_norm = 0.3},
                         test::varied_layers());
}

TEST_CASE("cuda: matrices are made orthogonal in mid-chain") {
  check_like_host<double>(recipes::amuse(), test::varied_layers(), 0, 0, 1e-12);
  check_like_host<float>(clip_by_global_norm{.max_norm = 0.5} | recipes::muon(), test::varied_layers(), 1, 1, 2e-3);
}

TEST_CASE("cuda: what a schedule moves, moves on the device") {
  check_like_host<float>(scheduled(&clip_by_global_norm::max_norm, linear{.steps = 5, .final = 0.1}) |
                             scheduled(&scale_by_adam::beta1, linear{.steps = 5, .final = 0.5}),
                         test::varied_layers());
  check_like_host<double>(scheduled(&clip_by_norm::max_norm, linear{.steps = 5, .final = 0.1}), test::varied_layers());
  const auto moving = scheduled(&orthogonalize_update::epsilon, linear{.steps = 5, .final = 0.1},
                                scheduled(&orthogonalize_update::steps, linear{.steps = 4, .final = 0.5},
                                          orthogonalize_update{.epsilon = 0.5}));
  check_like_host<double>(route(when(hidden_matrix, moving), otherwise(ema{})), test::varied_layers(), 0, 0, 1e-12);
}

TEST_CASE("cuda: a step on a gradient that is not finite is none, and says for whose sake") {
  const auto chain = when_finite{} | route(when(hidden_matrix, ema{}), otherwise(scale_by_adam{}));
  model_on_device<float> m(test::varied_layers());
  auto opt = cuda::optimizer(chain, m.parameters(), settings);
  m.train(opt, 1, 2);
  const auto before = m.values.get();
  m.host.differentiate(3);
  m.host.gradients[6][70000] = std::numeric_limits<float>::infinity();
  m.host.gradients[1][3] = std::numeric_limits<float>::quiet_NaN();
  m.gradients.put(m.host.gradients);
  const auto report = opt.step(m.gradients.spans());
  CHECK_FALSE(report.taken);
  CHECK(report.parameter == "b1");
  CHECK(opt.steps() == 2);
  CHECK(test::same_bits(m.values.get(), before));
  CHECK_FALSE(opt.step(m.gradients.spans(), {.loss = std::numeric_limits<double>::infinity()}).taken);
  m.train(opt, 3, 3);
  CHECK(opt.steps() == 3);

  model<float> host(test::varied_layers());
  auto expected = optimizer(chain, host.parameters(), settings);
  host.train(expected, 1, 3);
  CHECK(test::distance(m.values.get(), host.values) <= test::rounding<float>);
}

TEST_CASE("cuda: gradients are gathered over calls") {
  const auto check = [](const auto& chain) {
    model<float> host(test::varied_layers());
    model_on_device<float> m(test::varied_layers());
    auto expected = optimizer(chain, host.parameters(), settings);
    auto opt = cuda::optimizer(chain, m.parameters(), settings);
    host.train(expected, 1, 8);
    m.train(opt, 1, 8);
    CHECK(opt.steps() == 2);
    CHECK(test::distance(m.values.get(), host.values) <= test::rounding<float>);
  };
  const auto gathering = accumulate{.steps = 3} | clip_by_norm{.max_norm = 0.1} | recipes::sf_adamw();
  check(gathering);
  check(when_finite{} | gathering);
}

TEST_CASE("cuda: x is copied to where it is wanted") {
  model_on_device<float> m(test::varied_layers());
  auto opt = cuda::optimizer(recipes::sf_adamw(), m.parameters(), settings);
  auto x = m.values.get();
  test::arrays_on_device<float> out(x);
  for (std::size_t i = 0; i < x.size(); ++i) opt.averaged(i, out[i]);
  CHECK(test::same_bits(out.get(), m.values.get()));  // before the first step x is y
  m.train(opt, 1, 4);
  for (std::size_t i = 0; i < x.size(); ++i) opt.averaged(i, out[i]);
  x = out.get();
  CHECK(test::distance(x, m.values.get()) > 1e-3);
  CHECK(out.sentinels_stand());
  const auto at_x = opt.evaluation_point();
  CHECK(test::same_bits(m.values.get(), x));
  for (std::size_t i = 0; i < x.size(); ++i) opt.averaged(i, out[i]);
  CHECK(test::same_bits(out.get(), x));
  CHECK(message_of([&] { opt.step(m.gradients.spans()); }).find("[step] Expected the parameters at y") == 0);
  CHECK(message_of([&] { static_cast<void>(opt.evaluation_point()); }).find("[evaluation_point]") == 0);
  std::vector<float> of_host(x[0].size());
  CHECK(message_of([&] { opt.averaged(0, of_host); }) ==
        "[cuda] Expected memory of the current device as the memory for x of 'w1'. Received an address of the host's.");
}

TEST_CASE("cuda: an evaluation point outlives its optimizer") {
  model_on_device<float> m(test::small_layers());
  std::vector<std::vector<float>> y;
  {
    std::optional<evaluation_guard<float>> kept;
    {
      auto opt = cuda::optimizer(recipes::sf_adamw(), m.parameters(), settings);
      m.train(opt, 1, 4);
      y = m.values.get();
      auto moved = std::move(opt);
      static_cast<void>(kept.emplace(moved.evaluation_point()));
    }
    CHECK_FALSE(test::same_bits(m.values.get(), y));
  }
  CHECK(test::same_bits(m.values.get(), y));
}

TEST_CASE("cuda: a checkpoint of the host's goes on on the device, and back") {
  const test::folder folder;
  const auto chain = accumulate{.steps = 2} | recipes::sf_adamw();
  model<float> host(test::varied_layers()), expected(test::varied_layers());
  model_on_device<float> m(test::varied_layers());
  auto alone = optimizer(chain, expected.parameters(), settings);
  expected.train(alone, 1, 12);

  auto on_host = optimizer(chain, host.parameters(), settings);
  host.train(on_host, 1, 5);
  on_host.save(folder / "host");
  m.values.put(host.values);
  auto opt = cuda::optimizer(chain, m.parameters(), settings);
  opt.load(folder / "host");
  m.train(opt, 6, 9);
  opt.save(folder / "device");

  host.values = m.values.get();
  auto again = optimizer(chain, host.parameters(), settings);
  again.load(folder / "device");
  host.train(again, 10, 12);
  CHECK(again.steps() == 6);
  CHECK(test::distance(host.values, expected.values) <= 4 * test::rounding<float>);

  {
    const auto at_x = opt.evaluation_point();
    opt.save(folder / "x");
    const auto x = m.values.get();
    for (std::size_t i = 0; i < x.size(); ++i) std::ranges::copy(x[i], host.values[i].begin());
    CHECK(message_of([&] { opt.load(folder / "x"); }).find("[load]") == 0);
  }
  again.load(folder / "x");
  CHECK(test::same_bits(host.values, m.values.get()));

  test::put_bytes(folder / "cut", test::bytes_of(folder / "device").substr(0, 1000));
  const auto before = m.values.get();
  CHECK(message_of([&] { opt.load(folder / "cut"); }).find("[load]") == 0);
  CHECK(test::same_bits(m.values.get(), before));
  CHECK(opt.steps() == 4);
}

TEST_CASE("cuda: what is no device memory is refused before anything is written") {
  model<float> host(test::small_layers());
  CHECK(message_of([&] { cuda::optimizer(recipes::adamw(), host.parameters(), settings); }) ==
        "[cuda] Expected memory of the current device as the parameter 'w1'. Received an address of the host's.");
  model_on_device<float> m(test::small_layers());
  CHECK(message_of([&] { cuda::optimizer(ema{}, m.parameters(), options{.lr = -1}); }).find("[optimizer]") == 0);
  auto opt = cuda::optimizer(recipes::adamw(), m.parameters(), settings);
  m.train(opt, 1, 1);
  const auto before = m.values.get();
  auto gradients = m.gradients.spans();
  gradients[3] = host.gradients[3];
  CHECK(message_of([&] { opt.step(gradients); }) ==
        "[cuda] Expected memory of the current device as the gradient of 'table'. Received an address of the host's.");
  gradients[3] = m.values[3];
  CHECK(message_of([&] { opt.step(gradients); }).find("[step] Expected a gradient that overlaps no parameter") == 0);
  gradients = m.gradients.spans();
  gradients.pop_back();
  CHECK(message_of([&] { opt.step(gradients); }).find("[step] Expected 5 gradients") == 0);
  CHECK(test::same_bits(m.values.get(), before));
  CHECK(opt.steps() == 1);
}

TEST_CASE("cuda: steps are captured, and an executable graph is updated with the next step's numbers") {
  const own_stream own;
  const auto chain = clip_by_global_norm{.max_norm = 0.5} | recipes::sf_adamw();
  model<float> host(test::varied_layers());
  auto expected = optimizer(chain, host.parameters(), settings);
  host.train(expected, 1, 5);
  model_on_device<float> m(test::varied_layers());
  const test::arrays_on_device<float> copied(m.host.gradients);
  auto opt = cuda::optimizer(chain, m.parameters(), settings, own.stream);
  cudaGraphExec_t run{};
  for (long t = 1; t <= 5; ++t) {
    m.differentiate(t);
    auto gradients = m.gradients.spans();
    if (t % 2 == 0) {  // elsewhere
      cuda::copy<float>(gradients[0].data(), gradients[0].size(), copied[0].data(), nullptr);
      cuda::synchronize(nullptr);
      gradients[0] = copied[0];
    }
    own.begin_capture();
    opt.step(gradients);
    cudaGraph_t step = own.end_capture();
    cudaGraphExecUpdateResultInfo updated{};
    if (run) cuda::check("an update", cudaGraphExecUpdate(run, step, &updated));
    else cuda::check("an executable graph", cudaGraphInstantiate(&run, step, 0));
    CHECK(cudaGraphDestroy(step) == cudaSuccess);
    cuda::check("a launch", cudaGraphLaunch(run, own.stream));
    cuda::synchronize(own.stream);
  }
  CHECK(test::distance(m.values.get(), host.values) <= test::rounding<float>);
  CHECK(cudaGraphExecDestroy(run) == cudaSuccess);
}

TEST_CASE("cuda: a captured step that never runs leaves the next one its gradients") {
  const own_stream own;
  const auto chain = apply_update{};
  model_on_device<float> m(test::small_layers());
  const test::arrays_on_device<float> others(m.host.values);  // not the gradients
  auto opt = cuda::optimizer(chain, m.parameters(), {.lr = 0.1}, own.stream);
  auto waits = cuda::optimizer(when_finite{} | chain, m.parameters(), {.lr = 0.1}, own.stream);
  for (const bool first : {true, false}) {
    CAPTURE(first);
    own.begin_capture();
    opt.step(others.spans());
    const auto refusal = message_of([&] { waits.step(others.spans()); });
    CHECK(cudaGraphDestroy(own.end_capture()) == cudaSuccess);
    CHECK(refusal.find("[cuda] Expected a chain whose steps need not wait in a stream that captures") == 0);
    auto expected = m.values.get();
    for (std::size_t i = 0; i < expected.size(); ++i)
      for (std::size_t j = 0; j < expected[i].size(); ++j) expected[i][j] -= 0.1f * m.host.gradients[i][j];
    opt.step(m.gradients.spans());
    cuda::synchronize(own.stream);
    CHECK(test::distance(m.values.get(), expected) <= test::rounding<float>);
    waits.step(m.gradients.spans());
    CHECK(waits.steps() == (first ? 1 : 2));
  }
}

TEST_CASE("cuda: a captured step may run between two that are not captured") {
  const own_stream own;
  model_on_device<float> m(test::small_layers());
  const test::arrays_on_device<float> others(m.host.values);
  auto opt = cuda::optimizer(apply_update{}, m.parameters(), {.lr = 0.1}, own.stream);
  auto expected = m.values.get();
  for (std::size_t i = 0; i < expected.size(); ++i)
    for (std::size_t j = 0; j < expected[i].size(); ++j)
      expected[i][j] -= 0.1f * (2 * m.host.gradients[i][j] + m.host.values[i][j]);
  own.begin_capture();
  opt.step(others.spans());
  cudaGraph_t graph = own.end_capture();
  cudaGraphExec_t run{};
  cuda::check("an executable graph", cudaGraphInstantiate(&run, graph, 0));
  opt.step(m.gradients.spans());
  cuda::check("a launch", cudaGraphLaunch(run, own.stream));
  opt.step(m.gradients.spans());  // where they were, for all that the host knows
  cuda::synchronize(own.stream);
  CHECK(test::distance(m.values.get(), expected) <= test::rounding<float>);
  CHECK(cudaGraphExecDestroy(run) == cudaSuccess);
  CHECK(cudaGraphDestroy(graph) == cudaSuccess);
}

TEST_CASE("cuda: where y cannot be put back, steps are refused") {
  const own_stream own;
  model_on_device<float> m(test::small_layers());
  auto opt = cuda::optimizer(recipes::sf_adamw(), m.parameters(), settings, own.stream);
  m.train(opt, 1, 3);
  auto at_x = std::make_unique<evaluation_guard<float>>(opt.evaluation_point());
  own.begin_capture();
  at_x.reset();
  cudaGraph_t graph{};
  static_cast<void>(cudaStreamEndCapture(own.stream, &graph));  // what could not be captured may have ended it
  if (graph) static_cast<void>(cudaGraphDestroy(graph));
  static_cast<void>(cudaGetLastError());
  CHECK(message_of([&] { opt.step(m.gradients.spans()); }).find("[step] Expected the parameters at y") == 0);
}

TEST_CASE("cuda: a gradient that no float begins at is refused") {
  model_on_device<float> m(test::small_layers());
  auto opt = cuda::optimizer(ema{}, m.parameters(), settings);
  auto gradients = m.gradients.spans();
  const auto* bytes = reinterpret_cast<const char*>(gradients[1].data());
  gradients[1] = {reinterpret_cast<const float*>(bytes + 2), gradients[1].size()};
  CHECK(message_of([&] { opt.step(gradients); })
            .find("[step] Expected a gradient aligned to its element type for 'b1'.") == 0);
}

TEST_CASE("cuda: an optimizer says on what it runs and what it takes") {
  model_on_device<float> m(test::small_layers());
  auto opt = cuda::optimizer(ema{} | clip_by_global_norm{} | scale_by_adam{}, m.parameters(), settings);
  const auto text = opt.describe();
  CHECK(text.find(", cuda: ") != text.npos);
  CHECK(text.find("scale_by_adam.second_moment") != text.npos);
  CHECK(text.find("scratch 0 B") == text.npos);
}
