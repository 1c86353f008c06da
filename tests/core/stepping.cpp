// What a step refuses, exact words, and that a refused step leaves no trace; the learning rate; forms of
// gradients.
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/amuse_beta.hpp>
#include <thalweg/transforms/ema.hpp>
#include <thalweg/transforms/scale.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

#include <array>
#include <cmath>
#include <limits>
#include <list>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

constexpr auto with_state = ema{.beta = 0.5} | update_by_schedule_free{.beta = 0.75};

}  // namespace

TEST_CASE("gradients that are not what they must be, and no trace of them") {
  model<float> m(test::small_layers()), twin(test::small_layers());
  auto opt = optimizer(with_state, m.parameters(), {.lr = 0.25}),
       calm = optimizer(with_state, twin.parameters(), {.lr = 0.25});
  using spans = std::vector<std::span<const float>>;
  for (long t = 1; t <= 3; ++t) {
    m.differentiate(t);
    const spans good(m.gradients.begin(), m.gradients.end());
    const auto before = m.values;
    const auto table = opt.describe();
    const auto says = [&](const spans& gradients, const char* text) {
      CHECK_THROWS_WITH_AS(opt.step(gradients), text, error);
      CHECK(same_bits(m.values, before));
      CHECK(opt.describe() == table);
      CHECK(opt.steps() == t - 1);
    };
    says({}, "[step] Expected 5 gradients, one for each parameter. Received 0.");
    says({good.begin(), good.end() - 1}, "[step] Expected 5 gradients, one for each parameter. Received 4.");
    auto changed = good;
    changed.push_back(good[0]);
    changed.push_back(good[0]);
    says(changed, "[step] Expected 5 gradients, one for each parameter. Received 7.");
    changed = good;
    changed[2] = good[2].first(11);
    says(changed, "[step] Expected a gradient of 12 elements for 'w2' with shape (3, 4). Received 11.");
    changed[2] = good[0];
    says(changed, "[step] Expected a gradient of 12 elements for 'w2' with shape (3, 4). Received 35.");
    changed = good;
    changed[1] = m.values[1];
    says(changed,
         "[step] Expected a gradient that overlaps no parameter for 'b1'. Received one that overlaps the parameter "
         "'b1'.");
    m.train(opt, t, t);
    twin.train(calm, t, t);
    CHECK(same_bits(m.values, twin.values));
  }
}

TEST_CASE("a gradient that only touches its parameter is taken; one that overlaps by an element is not") {
  std::vector<float> memory(24, 1.0f);
  const std::span<float> all(memory);
  auto opt = optimizer(
      scale{1}, std::vector<parameter<float>>{{.name = "w", .shape = {8}, .data = memory.data() + 8}}, {});
  CHECK_THROWS_AS(opt.step({all.subspan(1, 8)}), error);
  CHECK_THROWS_AS(opt.step({all.subspan(15, 8)}), error);
  CHECK(memory == std::vector<float>(24, 1.0f));
  opt.step({all.subspan(0, 8)});
  opt.step({all.subspan(16, 8)});
}

TEST_CASE("a gradient that overlaps another's parameter is refused") {
  model<float> m({{"a", {8}}, {"b", {8}}});
  auto opt = optimizer(scale{1}, m.parameters(), {.lr = 0.5});
  const auto before = m.values;
  CHECK_THROWS_WITH_AS(opt.step({m.gradients[0], m.values[0]}),
                       "[step] Expected a gradient that overlaps no parameter for 'b'. Received one that overlaps "
                       "the parameter 'a'.",
                       error);
  CHECK(same_bits(m.values, before));
}

TEST_CASE("parameters may share one gradient") {
  model<float> m({{"a", {8}}, {"b", {8}}});
  const auto before = m.values;
  auto opt = optimizer(scale{1}, m.parameters(), {.lr = 0.5});
  opt.step({m.gradients[0], m.gradients[0]});
  for (std::size_t i = 0; i < 2; ++i)
    for (std::size_t j = 0; j < 8; ++j)
      CHECK(m.values[i][j] == doctest::Approx(before[i][j] - 0.5f * m.gradients[0][j]));
}

TEST_CASE("gradients come as any range of contiguous ranges") {
  model<float> m({{"a", {2, 4}}, {"b", {8}}});
  auto opt = optimizer(scale{1}, m.parameters(), {.lr = 0.5});
  auto expected = m.values;
  const auto check = [&] {
    for (std::size_t i = 0; i < 2; ++i)
      for (std::size_t j = 0; j < 8; ++j) {
        expected[i][j] -= 0.5f * m.gradients[i][j];
        CHECK(m.values[i][j] == doctest::Approx(expected[i][j]));
      }
  };
  auto &a = m.gradients[0], &b = m.gradients[1];
  opt.step(m.gradients);
  check();
  opt.step(std::vector<std::span<const float>>{a, b});
  check();
  opt.step(std::vector<std::span<float>>{a, b});
  check();
  opt.step(std::array<std::span<const float>, 2>{a, b});
  check();
  opt.step({a, b});
  check();
  opt.step(std::list<std::vector<float>>{a, b});
  check();
  std::array<std::array<float, 8>, 2> arrays{};
  for (std::size_t i = 0; i < 2; ++i) std::ranges::copy(m.gradients[i], arrays[i].begin());
  opt.step(arrays);
  check();
  float rows[2][8];
  for (std::size_t i = 0; i < 2; ++i) std::ranges::copy(m.gradients[i], rows[i]);
  opt.step(rows);
  check();
}

TEST_CASE("the base learning rate is read and set; what is no learning rate is refused") {
  model<double> m({{"w", {3}}});
  auto opt = optimizer(chain(), m.parameters(), {.lr = 0.5, .warmup_steps = 4});
  CHECK(opt.lr() == 0.5);
  const auto step_length = [&] {
    const auto before = m.values;
    opt.step(m.gradients);
    return (before[0][0] - m.values[0][0]) / m.gradients[0][0];
  };
  CHECK(step_length() == doctest::Approx(0.125));
  opt.lr(2);
  CHECK(opt.lr() == 2);
  CHECK(step_length() == doctest::Approx(1));  // the warm-up still applies
  for (const double bad : {-1.0, -std::numeric_limits<double>::infinity(),
                           std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN()})
    CHECK_THROWS_AS(opt.lr(bad), error);
  CHECK_THROWS_WITH_AS(opt.lr(-1), "[optimizer] Expected lr in [0, inf). Received -1.", error);
  CHECK(opt.lr() == 2);
  CHECK(step_length() == doctest::Approx(1.5));
  CHECK(step_length() == doctest::Approx(2));
  CHECK(step_length() == doctest::Approx(2));
  opt.lr(0);
  CHECK(step_length() == 0);
}

TEST_CASE("steps counts the steps that were taken") {
  model<float> m({{"w", {3}}});
  auto opt = optimizer(chain(), m.parameters(), {});
  CHECK(opt.steps() == 0);
  m.train(opt, 1, 3);
  CHECK(opt.steps() == 3);
  CHECK_THROWS_AS(opt.step(std::vector<std::vector<float>>{}), error);
  CHECK(opt.steps() == 3);
}

TEST_CASE("what `at` would refuse in the first step is refused at binding") {
  model<float> m({{"w", {3}}});
  CHECK_THROWS_WITH_AS(
      optimizer(amuse_beta{} | update_by_schedule_free{}, m.parameters(), {}),
      "[amuse_beta] Expected warmup_steps >= 1, because beta grows from the end of the warm-up on. Received 0. "
      "Set the option warmup_steps, or beta1_steps.",
      error);
}

TEST_CASE("NaN and infinity pass through to the parameter they belong to, and no further") {
  model<float> m({{"a", {9}}, {"b", {9}}});
  auto opt = optimizer(ema{}, m.parameters(), {.lr = 0.5});
  m.gradients[0][8] = std::numeric_limits<float>::quiet_NaN();
  m.gradients[0][1] = std::numeric_limits<float>::infinity();
  opt.step(m.gradients);
  for (std::size_t j = 0; j < 9; ++j) {
    CHECK(std::isfinite(m.values[1][j]));
    CHECK(std::isfinite(m.values[0][j]) == (j != 8 && j != 1));
  }
}

TEST_CASE("an optimizer is moved, not copied") {
  using type = decltype(optimizer(scale{1}, std::vector<parameter<float>>(), {}));
  static_assert(!std::is_copy_constructible_v<type> && !std::is_copy_assignable_v<type>);
  static_assert(std::is_nothrow_move_constructible_v<type> && std::is_nothrow_move_assignable_v<type>);
  model<float> m({{"w", {5}}}), twin({{"w", {5}}}), other({{"w", {5}}});
  auto opt = optimizer(with_state, m.parameters(), {.lr = 0.25}),
       calm = optimizer(with_state, twin.parameters(), {.lr = 0.25});
  m.train(opt, 1, 2);
  twin.train(calm, 1, 4);
  auto moved = optimizer(with_state, other.parameters(), {.lr = 1});
  moved = std::move(opt);
  m.train(moved, 3, 4);
  CHECK(same_bits(m.values, twin.values));
}
