// The fused engine against the unfused one, and against itself: at every length, at every alignment, on any number of
// threads.
#include <thalweg/thalweg.hpp>

#include <atomic>
#include <cstddef>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

// Element-wise kernels with a square root, divisions and four state arrays, in one pass.
constexpr auto one_pass = scale_by_adam{.beta1 = 0.8} | nesterov_ema{.beta = 0.5} | decay_weights{} |
                          update_by_schedule_free{.beta = 0.75};

// A barrier of each kind between them.
constexpr auto negate = tensorwise("negate", [](auto u) noexcept {
  for (auto& x : u.values()) x = -x;
});
constexpr auto with_barriers = scale_by_adam{.beta1 = 0.8} | clip_by_global_norm{.max_norm = 0.5} | negate |
                               nesterov_ema{.beta = 0.5} | decay_weights{} | update_by_schedule_free{.beta = 0.75};

options hyper(parallel_for parallel = sequential()) {
  return {.lr = 0.0625, .weight_decay = 0.1, .warmup_steps = 3, .parallel = std::move(parallel)};
}

// A parameter somewhere in a larger array, with sentinels before and behind it; its gradient elsewhere in another.
template <class T>
struct placed {
  std::vector<T> values, gradient;
  std::size_t offset, n;
  placed(std::size_t offset_, std::size_t n_) : values(n_ + 64, T(7)), gradient(n_ + 64, T(9)), offset(offset_), n(n_) {
    for (std::size_t j = 0; j < n; ++j) values[offset + j] = static_cast<T>(test::noise(1, j));
  }
  template <class Given>
  std::vector<T> trained(const Given& given, options o) {
    auto opt = optimizer(given, std::vector<parameter<T>>{{.name = "w", .shape = {n}, .data = values.data() + offset}}, o);
    for (std::uint64_t t = 1; t <= 4; ++t) {
      const std::size_t elsewhere = 31 - offset;
      for (std::size_t j = 0; j < n; ++j) gradient[elsewhere + j] = static_cast<T>(test::noise(100 + t, j));
      opt.step({std::span<const T>(gradient).subspan(elsewhere, n)});
    }
    for (std::size_t j = 0; j < values.size(); ++j)
      if (j < offset || j >= offset + n) CHECK(values[j] == T(7));
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(offset);
    return {first, first + static_cast<std::ptrdiff_t>(n)};
  }
};

template <class T>
std::size_t width() { return xsimd::batch<T>::size; }

}  // namespace

TEST_CASE_TEMPLATE("fused and unfused agree at every length, and write nothing beyond it", T, float, double) {
  const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-14;
  for (std::size_t n = 1; n <= 4 * width<T>() + 1; ++n) {
    CAPTURE(n);
    const auto fused = placed<T>(0, n).trained(one_pass, hyper());
    const auto slow = placed<T>(0, n).trained(unfused(one_pass), hyper());
    CHECK(test::distance<T, T>({fused}, {slow}) < tolerance);
  }
}

TEST_CASE("fused and unfused agree across barriers") {
  const double tolerance = 2e-6;
  model<float> m(test::small_layers()), n(test::small_layers());
  auto fused = optimizer(with_barriers, m.parameters(), hyper());
  auto slow = optimizer(unfused(with_barriers), n.parameters(), hyper());
  m.train(fused, 1, 10);
  n.train(slow, 1, 10);
  CHECK(test::distance(m.values, n.values) < tolerance);
  auto x = fused.evaluation_point();
  auto slow_x = slow.evaluation_point();
  CHECK(test::distance(m.values, n.values) < tolerance);
}

TEST_CASE_TEMPLATE("a step's result does not depend on where in memory the arrays lie", T, float, double) {
  for (const std::size_t n : {std::size_t{1}, width<T>() - 1, width<T>(), width<T>() + 1, std::size_t{77}}) {
    const auto aligned = placed<T>(0, n).trained(one_pass, hyper());
    for (std::size_t offset = 1; offset < 32; offset += offset < 9 ? 1 : 5) {
      CAPTURE(offset);
      CHECK(same_bits(placed<T>(offset, n).trained(one_pass, hyper()), aligned));
    }
  }
}

TEST_CASE_TEMPLATE("an element's result does not depend on its place in the array, in a register or in the rest", T, float, double) {
  const std::size_t n = 5 * width<T>() + 3;
  std::vector<T> values(n), gradient(n);
  for (std::size_t j = 0; j < n; ++j) {
    values[j] = static_cast<T>(0.7);
    gradient[j] = static_cast<T>(-0.3);
  }
  auto opt = optimizer(one_pass, std::vector<parameter<T>>{{.name = "w", .shape = {n}, .data = values.data()}}, hyper());
  for (int t = 0; t < 5; ++t) opt.step({gradient});
  for (std::size_t j = 1; j < n; ++j) CHECK(values[j] == values[0]);
}

TEST_CASE("float follows double") {
  model<float> m(test::small_layers());
  model<double> n(test::small_layers());
  auto opt = optimizer(one_pass, m.parameters(), hyper());
  auto exact = optimizer(one_pass, n.parameters(), hyper());
  m.train(opt, 1, 10);
  n.train(exact, 1, 10);
  CHECK(test::distance(m.values, n.values) < 1e-5);
}

// ---- threads --------------------------------------------------------------------------------------

namespace {

parallel_for own_threads(std::size_t count) {
  return {.workers = count, .run = [](std::size_t workers, worker_body body) {
            std::vector<std::thread> pool;
            for (std::size_t w = 0; w < workers; ++w) pool.emplace_back([=] { body(w); });
            for (auto& thread : pool) thread.join();
          }};
}

// Large enough to be shared out, in pieces of one array and in heaps of small ones.
model<float> large() {
  std::vector<test::layer> layers{{"large", {3, 65536 + 11}}, {"tall", {300, 70}}, {"embedding", {100, 333}, role::embedding}};
  for (int i = 0; i < 40; ++i) layers.push_back({"b" + std::to_string(i), {1000 + static_cast<std::size_t>(i)}});
  return model<float>(std::move(layers));
}

template <class Given>
std::vector<std::vector<float>> trained_on(const Given& given, parallel_for parallel) {
  auto m = large();
  auto opt = optimizer(given, m.parameters(), hyper(std::move(parallel)));
  m.train(opt, 1, 3);
  return m.values;
}

template <class Given>
void any_number_of_threads(const Given& given) {
  const auto alone = trained_on(given, sequential());
  for (const std::size_t count : {1, 2, 3, 7, 64}) {
    CAPTURE(count);
    CHECK(same_bits(trained_on(given, own_threads(count)), alone));
  }
  CHECK(same_bits(trained_on(given, threads()), alone));
  CHECK(same_bits(trained_on(given, threads(3)), alone));
  // Threads that never come are not missed.
  CHECK(same_bits(trained_on(given, {.workers = 4, .run = [](std::size_t, worker_body) {}}), alone));
  CHECK(same_bits(trained_on(given, {.workers = 4, .run = [](std::size_t, worker_body body) { body(3); }}), alone));
  CHECK(same_bits(trained_on(given, {.workers = 0, .run = [](std::size_t, worker_body) {}}), alone));
}

}  // namespace

TEST_CASE("any number of threads computes the same, bit for bit, in one pass") { any_number_of_threads(one_pass); }

TEST_CASE("any number of threads computes the same, bit for bit, across barriers and in branches") {
  any_number_of_threads(route(when(hidden_matrix, with_barriers), otherwise(one_pass)));
}

TEST_CASE("a throw on any thread is thrown by step, and leaves no trace") {
  auto m = large(), twin = large();
  std::atomic<bool> blows = false, never = false;
  const auto chain_with = [](std::atomic<bool>& when_set) {
    return ema{} | tensorwise("blow", [&when_set](tensor<float> u) {
             if (u.name == "b17" && when_set) throw error("blow", "Expected peace. Received '" + std::string(u.name) + "'.");
           }) | ema{};
  };
  auto opt = optimizer(chain_with(blows), m.parameters(), hyper(own_threads(4)));
  auto calm = optimizer(chain_with(never), twin.parameters(), hyper());
  for (long t = 1; t <= 2; ++t) {
    const auto before = m.values;
    blows = true;
    CHECK_THROWS_WITH_AS(m.train(opt, t, t), "[blow] Expected peace. Received 'b17'.", error);
    CHECK(same_bits(m.values, before));
    blows = false;
    m.train(opt, t, t);
    twin.train(calm, t, t);
    CHECK(same_bits(m.values, twin.values));
  }
}
