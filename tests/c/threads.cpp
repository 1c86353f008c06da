// Distinct optimizers of the C interface on distinct threads, each with a last error of its own.
#include <thalweg/thalweg.h>

#include <barrier>
#include <cstddef>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

namespace {

const std::size_t shape[] = {16, 12};

// Steps on ½‖w - target‖².
std::vector<float> trained(thalweg_optimizer* opt, std::vector<float>& w, float target, int steps) {
  std::vector<float> gradient(w.size());
  for (int step = 0; step < steps; ++step) {
    for (std::size_t i = 0; i < w.size(); ++i) gradient[i] = w[i] - target * static_cast<float>(i % 5);
    const void* const gradients[] = {gradient.data()};
    if (thalweg_step(opt, gradients, 1, nullptr, nullptr) != THALWEG_OK) return {};
  }
  std::vector<float> x(w.size());
  return thalweg_averaged(opt, 0, x.data(), x.size()) == THALWEG_OK ? x : std::vector<float>();
}

thalweg_optimizer* made(std::vector<float>& w, int64_t threads) {
  const thalweg_parameter parameter{"w", shape, 2, THALWEG_HIDDEN, THALWEG_ROW_MAJOR, w.data()};
  thalweg_options options = thalweg_options_default();
  options.warmup_steps = 3;
  options.threads = threads;
  thalweg_optimizer* opt = nullptr;
  return thalweg_create("amuse", THALWEG_FLOAT32, &parameter, 1, &options, &opt) == THALWEG_OK ? opt : nullptr;
}

std::vector<float> run(float target, int64_t threads = 1) {
  std::vector<float> w(shape[0] * shape[1], 0.5f);
  thalweg_optimizer* const opt = made(w, threads);
  auto x = trained(opt, w, target, 10);
  thalweg_destroy(opt);
  return x;
}

TEST_CASE("distinct optimizers of the C interface on distinct threads") {
  const auto alone_a = run(1), alone_b = run(2);
  REQUIRE(!alone_a.empty());
  CHECK(alone_a != alone_b);
  std::vector<float> a, b;
  {
    const std::jthread first([&] { a = run(1); });
    const std::jthread second([&] { b = run(2, 0); });
  }
  CHECK(a == alone_a);
  CHECK(b == alone_b);
}

TEST_CASE("an optimizer of the C interface goes from thread to thread, in an evaluation as well") {
  std::vector<float> w(shape[0] * shape[1], 0.5f), x;
  thalweg_optimizer* const opt = made(w, 1);
  trained(opt, w, 1, 5);
  std::jthread([&] { x = trained(opt, w, 1, 5); }).join();
  CHECK(x == run(1));
  const auto y = w;
  std::jthread([&] { thalweg_begin_evaluation(opt); }).join();
  CHECK(w == x);
  CHECK(thalweg_end_evaluation(opt) == THALWEG_OK);
  CHECK(w == y);
  thalweg_destroy(opt);
}

TEST_CASE("the last error is each thread's own") {
  std::barrier both(2);
  const auto fail = [&](auto call, std::string& at_first, std::string& then) {
    at_first = thalweg_last_error();
    both.arrive_and_wait();
    for (int i = 0; i < 100; ++i) call();
    both.arrive_and_wait();
    then = thalweg_last_error();
  };
  CHECK(thalweg_set_lr(nullptr, 1) == THALWEG_INVALID_ARGUMENT);
  std::string before_a, before_b, a, b;
  {
    const std::jthread first([&] { fail([] { thalweg_end_evaluation(nullptr); }, before_a, a); });
    const std::jthread second([&] { fail([] { thalweg_begin_evaluation(nullptr); }, before_b, b); });
  }
  CHECK(before_a == "");
  CHECK(before_b == "");
  CHECK(a == "[end_evaluation] Expected an optimizer. Received null.");
  CHECK(b == "[begin_evaluation] Expected an optimizer. Received null.");
  CHECK(thalweg_last_error() == std::string("[set_lr] Expected an optimizer. Received null."));
}

}  // namespace
