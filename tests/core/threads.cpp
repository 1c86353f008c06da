// Threads: the same result, bit for bit, for any number of workers and whoever runs them.
#include <doctest/doctest.h>

#include <array>
#include <atomic>
#include <future>
#include <mutex>
#include <optional>
#include <random>
#include <span>
#include <stdexcept>
#include <thread>
#include <vector>

#include <thalweg/text.hpp>
#include <thalweg/thalweg.hpp>

#include "../../src/threads/crew.hpp"

namespace {

using namespace thalweg;

parallel_for on_new_threads(std::size_t workers) {
  return {.workers = workers, .run = [](std::size_t n, worker_body body) {
            std::vector<std::jthread> threads;
            for (std::size_t w = 0; w < n; ++w) threads.emplace_back([=] { body(w); });
          }};
}

// Large tensors that are cut, many small ones that are taken together, matrices, an odd rest.
template <class T>
struct model {
  std::vector<std::vector<T>> values, gradients;
  std::vector<parameter<T>> parameters;

  model() {
    std::mt19937 random(7);
    std::normal_distribution<double> normal;
    const auto add = [&](std::vector<std::size_t> shape, role r) {
      values.emplace_back();
      gradients.emplace_back();
      for (std::size_t i = 0; i < element_count(shape); ++i) {
        values.back().push_back(static_cast<T>(normal(random)));
        gradients.back().push_back(static_cast<T>(normal(random)));
      }
      parameters.push_back({.name = "p" + std::to_string(parameters.size()), .shape = std::move(shape), .role = r});
    };
    add({200, 1001}, role::embedding);
    add({48, 96}, role::hidden);
    add({65, 17}, role::hidden);
    add({31, 2, 3, 3}, role::hidden);
    for (std::size_t i = 1; i < 70; ++i) add({i * 7}, role::hidden);
    for (std::size_t i = 0; i < values.size(); ++i) parameters[i].data = values[i].data();
  }
};

template <class T>
auto bound(const auto& chain, const std::vector<parameter<T>>& parameters, const options& o) {
  return optimizer(chain, parameters, o);
}
template <class T>
auto bound(const parsed_chain& chain, const std::vector<parameter<T>>& parameters, const options& o) {
  return optimizer<T>(chain, parameters, o);
}

template <class T, class Chain>
std::vector<std::vector<T>> trained(const Chain& chain, const parallel_for& parallel) {
  model<T> m;
  auto opt = bound(chain, m.parameters, {.lr = 0.01, .weight_decay = 0.1, .warmup_steps = 3, .parallel = parallel});
  for (int step = 0; step < 6; ++step) opt.step(m.gradients);
  const auto at_x = opt.evaluation_point();
  return m.values;
}

template <class T, class Chain>
void check_same(const Chain& chain) {
  const auto alone = trained<T>(chain, sequential());
  for (const std::size_t workers : {1, 2, 3, 8}) CHECK(trained<T>(chain, on_new_threads(workers)) == alone);
  CHECK(trained<T>(chain, threads()) == alone);
  CHECK(trained<T>(chain, threads(3)) == alone);
}

TEST_CASE("the result is bit-identical for any number of threads") {
  check_same<float>(recipes::amuse());
  check_same<double>(recipes::amuse());
  check_same<float>(clip_by_global_norm{.max_norm = 0.5} | recipes::muon());
  check_same<float>(scale_by_adam{} | clip_by_global_norm{.max_norm = 0.5} | apply_update{});
}

TEST_CASE("so it is tile by tile") {
  const auto chain = parse(
      "accumulate(steps=2) | clip_by_global_norm(max_norm=0.5) | route(when(hidden_matrix, nesterov_ema | "
      "centralize_gradient | clip_by_norm(max_norm=0.1) | amuse_beta), otherwise(parallel(grafting, ema, scale_by_sign)))"
      " | clip_by_global_norm(max_norm=0.1) | update_by_schedule_free");
  check_same<float>(chain);
  check_same<double>(chain);
}

TEST_CASE("a pool that runs some of the workers, or none, loses no work") {
  const auto chain = recipes::amuse();
  const auto alone = trained<float>(chain, sequential());
  CHECK(trained<float>(chain, {.workers = 4, .run = [](std::size_t, worker_body) {}}) == alone);
  CHECK(trained<float>(chain, {.workers = 4, .run = [](std::size_t, worker_body body) { body(2); }}) == alone);
}

TEST_CASE("idle threads of a crew take pieces of what its workers compute; each piece runs once") {
  detail::crew crew;
  std::array<std::vector<int>, 2> runs{std::vector<int>(100), std::vector<int>(3)};
  std::atomic<std::size_t> began = 0;
  const auto work = [&](std::vector<int>& counts) {
    const detail::crew::worker one(crew);
    ++began;
    for (int again = 0; again < 20; ++again)
      detail::in_pieces(counts.size(), detail::piece_body([&](std::size_t i) { ++counts[i]; }));
  };
  {
    std::jthread first([&] { work(runs[0]); }), second([&] { work(runs[1]); });
    while (began < 2) std::this_thread::yield();
    std::jthread helper([&] { crew.help(); }), late([&] { crew.help(); });
  }
  for (const auto& counts : runs)
    for (const int n : counts) CHECK(n == 20);
  crew.help();  // nobody works: it returns
}

TEST_CASE("a worker that is asked to help does not wait for itself") {
  detail::crew crew;
  const detail::crew::worker one(crew);
  crew.help();
  CHECK(true);  // it has returned
}

TEST_CASE("without a crew the pieces run one after the other") {
  std::vector<std::size_t> order;
  detail::in_pieces(4, detail::piece_body([&](std::size_t i) { order.push_back(i); }));
  CHECK(order == std::vector<std::size_t>{0, 1, 2, 3});
}

#ifdef __OPTIMIZE__
TEST_CASE("the products of one large matrix are divided among threads, and the result is the same bits") {
  std::mt19937 random(7);
  std::normal_distribution<float> normal;
  constexpr std::size_t rows = 523, cols = 1100;
  std::vector<float> first(rows * cols), gradient(rows * cols);
  for (float& x : gradient) x = normal(random);
  const auto trained = [&](const parallel_for& parallel) {
    auto w = first;
    optimizer<float> opt("muon", {{.name = "w", .shape = {rows, cols}, .role = role::hidden, .data = w.data()}},
                         {.lr = 0.01, .warmup_steps = 1, .parallel = parallel});
    opt.step(std::array{std::span<const float>(gradient)});
    return w;
  };
  const auto alone = trained(sequential());
  CHECK(alone != first);
  for (const std::size_t workers : {2, 3, 7}) CHECK(trained(on_new_threads(workers)) == alone);
  CHECK(trained(threads(2)) == alone);
  // Pools that run the workers one after the other, from the first or from the last.
  CHECK(trained({.workers = 3, .run = [](std::size_t n, worker_body body) {
                   for (std::size_t w = 0; w < n; ++w) body(w);
                 }}) == alone);
  CHECK(trained({.workers = 3, .run = [](std::size_t n, worker_body body) {
                   while (n > 0) body(--n);
                 }}) == alone);
  CHECK(trained({.workers = 3, .run = [](std::size_t, worker_body body) { body(2); }}) == alone);
}
#endif

TEST_CASE("what a tensor-wise function throws on a worker arrives, and the step is undone") {
  model<float> m;
  int calls = 0;
  const auto fails = tensorwise("fails", [&](tensor<float> u) {
    if (u.name == "p40" && ++calls == 2) throw std::runtime_error("no");
  });
  auto opt = optimizer(ema{} | fails, m.parameters, {.lr = 0.01, .parallel = on_new_threads(3)});
  opt.step(m.gradients);
  const auto after_one = m.values;
  CHECK_THROWS_WITH(opt.step(m.gradients), "no");
  CHECK(m.values == after_one);
  CHECK(opt.steps() == 1);
  opt.step(m.gradients);
  CHECK(m.values != after_one);
}

TEST_CASE("distinct optimizers on distinct threads; one that moves from thread to thread") {
  const auto chain = recipes::amuse();
  const auto alone = trained<float>(chain, sequential());
  std::vector<std::vector<float>> first, second;
  {
    std::jthread a([&] { first = trained<float>(chain, sequential()); });
    std::jthread b([&] { second = trained<float>(chain, on_new_threads(2)); });
  }
  CHECK(first == alone);
  CHECK(second == alone);

  model<float> m;
  auto opt = optimizer(chain, m.parameters, {.lr = 0.01, .weight_decay = 0.1, .warmup_steps = 3});
  for (int step = 0; step < 6; ++step) {
    auto moved = std::move(opt);
    std::jthread([&] { moved.step(m.gradients); }).join();
    opt = std::move(moved);
  }
  const auto at_x = opt.evaluation_point();
  CHECK(m.values == alone);
}

using arrays = std::vector<std::vector<float>>;

template <class Optimizer>
arrays averaged_of(const Optimizer& opt, const model<float>& m) {
  arrays x = m.values;
  for (std::size_t i = 0; i < x.size(); ++i) opt.averaged(i, x[i]);
  return x;
}

// x after each step, by one thread alone.
std::vector<arrays> path_of_x(long steps) {
  model<float> m;
  auto opt = optimizer(recipes::amuse(), m.parameters, {.lr = 0.01, .warmup_steps = 3, .parallel = sequential()});
  std::vector<arrays> path{averaged_of(opt, m)};
  for (long step = 0; step < steps; ++step) {
    opt.step(m.gradients);
    path.push_back(averaged_of(opt, m));
  }
  return path;
}

TEST_CASE("x, copied between steps by the thread that trains, is another's while training goes on") {
  const auto path = path_of_x(4);
  model<float> m;
  auto opt = optimizer(recipes::amuse(), m.parameters, {.lr = 0.01, .warmup_steps = 3, .parallel = on_new_threads(2)});
  std::vector<std::future<bool>> judgements;
  for (std::size_t step = 1; step <= 4; ++step) {
    opt.step(m.gradients);
    const auto judge = [&path, step, x = averaged_of(opt, m)] { return x == path[step]; };
    judgements.push_back(std::async(std::launch::async, judge));
  }
  for (auto& judgement : judgements) CHECK(judgement.get());
}

TEST_CASE("a lock of the user's around step and averaged lets a validation thread fetch x itself") {
  const auto path = path_of_x(4);
  model<float> m;
  auto opt = optimizer(recipes::amuse(), m.parameters, {.lr = 0.01, .warmup_steps = 3, .parallel = on_new_threads(2)});
  std::mutex one_at_a_time;
  bool consistent = true;
  std::jthread validation([&] {
    for (long step = 0; step < 4;) {
      arrays x;
      {
        const std::scoped_lock lock(one_at_a_time);
        x = averaged_of(opt, m);
        step = opt.steps();
      }
      consistent = consistent && x == path[static_cast<std::size_t>(step)];
    }
  });
  for (int step = 0; step < 4; ++step) {
    const std::scoped_lock lock(one_at_a_time);
    opt.step(m.gradients);
  }
  validation.join();
  CHECK(consistent);
}

TEST_CASE("what does not change an optimizer may be asked by several threads at once, at y and at x") {
  model<float> m;
  auto opt = optimizer(recipes::amuse(), m.parameters, {.lr = 0.01, .warmup_steps = 3, .parallel = sequential()});
  for (int step = 0; step < 4; ++step) opt.step(m.gradients);
  const auto x = averaged_of(opt, m);
  const auto text = opt.describe();
  const auto ask = [&] {
    std::vector<std::future<bool>> answers;
    for (int thread = 0; thread < 4; ++thread)
      answers.push_back(std::async(std::launch::async, [&] {
        return averaged_of(opt, m) == x && opt.describe() == text && opt.steps() == 4 && opt.lr() == 0.01;
      }));
    for (auto& answer : answers) CHECK(answer.get());
  };
  ask();
  const auto at_x = opt.evaluation_point();
  ask();
}

TEST_CASE("an evaluation point may begin on one thread and end on another") {
  model<float> m;
  auto opt = optimizer(recipes::amuse(), m.parameters, {.lr = 0.01, .warmup_steps = 3, .parallel = sequential()});
  opt.step(m.gradients);
  const auto y = m.values, x = averaged_of(opt, m);
  auto at_x = std::optional(opt.evaluation_point());
  std::jthread([&, mine = std::move(*at_x)] { CHECK(m.values == x); }).join();  // ends with the thread's function
  at_x.reset();
  CHECK(m.values == y);
  opt.step(m.gradients);
  CHECK(opt.steps() == 2);
}

}  // namespace
