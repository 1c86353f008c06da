// An optimizer allocates the declared state and no more, and a step allocates nothing.
#include "replaced_new.hpp"

#ifndef ADDRESS_SANITIZER

#include <thalweg/thalweg.hpp>
#include <thalweg/text.hpp>
#include <thalweg/thalweg.hpp>

#include <atomic>
#include <cstddef>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

namespace {

std::atomic<std::size_t> calls = 0, bytes = 0;

}  // namespace

void* test::allocate(std::size_t size, std::size_t alignment) {
  ++calls;
  bytes += size;
  return from_the_system(size, alignment);
}

using namespace thalweg;
using test::model;

namespace {

struct allocated {
  std::size_t calls, bytes;
};
template <class Action>
allocated during(Action action) {
  const std::size_t calls_before = calls, bytes_before = bytes;
  action();
  return {calls - calls_before, bytes - bytes_before};
}

// What steps 2 … 6 allocate.
template <class T, class Given>
allocated in_steps(const Given& given, std::vector<test::layer> layers,
                   parallel_for parallel = sequential()) {
  model<T> m(std::move(layers));
  auto opt =
      optimizer(given, m.parameters(), {.lr = 0.01, .warmup_steps = 2, .parallel = std::move(parallel)});
  opt.step(m.gradients);
  return during([&] {
    for (int i = 0; i < 5; ++i) opt.step(m.gradients);
  });
}

const std::vector<test::layer> sizes{
    {"w", {96, 64}}, {"b", {96}}, {"v", {64, 200}}, {"table", {20, 30}, role::embedding}};

constexpr auto quiet = tensorwise("quiet", [](auto u) noexcept { for (auto& x : u.values()) x = -x; });
constexpr auto loud = tensorwise("loud", [](auto u) { for (auto& x : u.values()) x = -x; });
constexpr auto long_chain = ema{} | clip_by_global_norm{} | quiet | loud | update_by_schedule_free{};

}  // namespace

TEST_CASE("the counter counts") {
  const auto counted_here = during([] { std::vector<int>(100).clear(); });
  CHECK(counted_here.calls == 1);
  CHECK(counted_here.bytes == 400);
}

TEST_CASE("a step allocates nothing") {
  CHECK(in_steps<float>(recipes::adamw(), sizes).calls == 0);
  CHECK(in_steps<double>(long_chain, sizes).calls == 0);
  CHECK(in_steps<float>(unfused(long_chain), sizes).calls == 0);

  model<float> m(sizes);
  auto opt = optimizer(recipes::amuse(), m.parameters(), {.lr = 0.01, .warmup_steps = 2, .parallel = sequential()});
  CHECK(during([&] { opt.step(m.gradients); }).calls == 0);

  const auto from_text = parse(
      "join(for_steps(2, warmup(2)), linear(9)) | clip_by_global_norm | scheduled(beta, linear(9), ema) | parallel(grafting, ema, "
      "clip_by_norm) | piecewise(change(from=2, by=0.5)) | update_by_schedule_free");
  auto tile_by_tile = optimizer(from_text, m.parameters(), {.lr = 0.01, .parallel = sequential()});
  CHECK(during([&] { tile_by_tile.step(m.gradients); }).calls == 0);
}

TEST_CASE("handing the work to threads allocates nothing of its own") {
  // Large enough to be shared out. The threads here are one, so that only the engine is counted.
  const parallel_for turns{.workers = 4, .run = [](std::size_t workers, worker_body body) {
                             for (std::size_t w = 0; w < workers; ++w) body(w);
                           }};
  CHECK(in_steps<double>(long_chain, {{"w", {500, 500}}, {"v", {300000}}}, turns).calls == 0);
}

TEST_CASE("a step through orthogonalize_update allocates nothing that shows") {
  // Eigen takes its products' blocks from malloc, not from operator new.
  CHECK(in_steps<float>(recipes::amuse(), sizes).calls == 0);
}

TEST_CASE("averaged copies without allocating") {
  model<float> m(sizes);
  auto opt = optimizer(update_by_schedule_free{}, m.parameters(), {.parallel = sequential()});
  opt.step(m.gradients);
  std::vector<float> out(m.values[0].size());
  CHECK(during([&] { opt.averaged(0, out); }).calls == 0);
}

TEST_CASE("the memory of an optimizer is its declared state, and no copy of parameters or gradients") {
  const std::size_t n = 1 << 20, array = n * sizeof(float), little = 20 * 1024;
  model<float> m({{"w", {n}}});
  const auto of = [&](const auto& given) {
    return during([&] {
             auto parameters = m.parameters();
             auto opt = optimizer(given, std::move(parameters), {.parallel = sequential()});
             opt.step(m.gradients);
           }).bytes;
  };
  const auto is = [&](std::size_t received, std::size_t arrays) {
    CHECK(received >= arrays * array);
    CHECK(received < arrays * array + little);
  };
  is(of(chain()), 0);
  is(of(recipes::adamw()), 2);
  is(of(clip_by_global_norm{} | ema{}), 1);          // the gradient itself is reduced
  is(of(ema{} | clip_by_global_norm{} | ema{}), 3);  // the update must wait somewhere
  is(of(ema{} | quiet), 2);                          // and must be written for a barrier
}

TEST_CASE("updates that do not wait for each other take turns in one buffer") {
  const std::size_t n = 1 << 16, array = n * sizeof(float);
  std::vector<test::layer> layers;
  for (int i = 0; i < 16; ++i) layers.push_back({in_words("w", i), {n}});
  model<float> m(std::move(layers));
  const std::size_t received =
      during([&] { optimizer(ema{} | quiet, m.parameters(), {.parallel = sequential()}); }).bytes;
  CHECK(received >= 17 * array);
  CHECK(received < 18 * array);
}

TEST_CASE("an evaluation point holds y of the averaged parameters alone") {
  const std::size_t n = 1 << 18, array = n * sizeof(float);
  model<float> m({{"averaged", {2, n / 2}}, {"plain", {n}}});
  auto opt = optimizer(route(when(hidden_matrix, update_by_schedule_free{}), otherwise()), m.parameters(),
                       {.parallel = sequential()});
  opt.step(m.gradients);
  const std::size_t received = during([&] { auto at_x = opt.evaluation_point(); }).bytes;
  CHECK(received >= array);
  CHECK(received < array + 1024);
}

#endif
