// Parameters that have no gradient in some steps: they stand still, and count only the steps in which they have one.
#include <algorithm>
#include <cmath>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/text.hpp>

#include "../core/model.hpp"
#include "chains.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

using spans = std::vector<std::span<const float>>;

const std::vector<test::layer> two{{"a", {4, 6}}, {"b", {4, 6}}};
const options some{.lr = 0.01, .weight_decay = 0.1, .warmup_steps = 1, .r = 1};

bool has_gradient_of_b(long t) { return t == 1 || t == 4 || t == 5 || t == 8; }

spans of_step(const model<float>& m, long t) {
  return {m.gradients[0], has_gradient_of_b(t) ? std::span<const float>(m.gradients[1]) : std::span<const float>()};
}

// One float at 0, and how far each gradient moves it.
std::vector<double> moves(const std::string& chain, const std::vector<std::optional<float>>& gradients, options o) {
  float w = 0, other = 0;
  const float one = 1;
  optimizer<float> opt(chain, {{.name = "w", .shape = {1}, .data = &w}, {.name = "other", .shape = {1}, .data = &other}}, o);
  std::vector<double> moved;
  for (const auto& g : gradients) {
    const double before = w;
    const auto report = opt.step({g ? std::span<const float>(&*g, 1) : std::span<const float>(), std::span(&one, 1)});
    if (report.taken) CHECK(report.without_gradient == (w == before ? 1 : 0));
    moved.push_back(w - before);
  }
  return moved;
}

void near(const std::vector<double>& a, const std::vector<double>& b) {
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-5));
}

}  // namespace

TEST_CASE("a parameter trains as it would alone, in the steps in which it has a gradient") {
  for (const std::string& chain : test::independent_chains()) {
    if (chain == "amuse") continue;  // its β follows the steps of all parameters, as a schedule does
    CAPTURE(chain);
    model<float> both(two), a({two[0]}), b({two[1]});
    b.values[0] = both.values[1];
    optimizer<float> opt(chain, both.parameters(), some), of_a(chain, a.parameters(), some), of_b(chain, b.parameters(), some);
    for (long t = 1; t <= 9; ++t) {
      both.differentiate(t);
      const auto still = both.values[1];
      const auto report = opt.step(of_step(both, t), {.loss = 1});
      CHECK(report.without_gradient == (has_gradient_of_b(t) ? 0 : 1));
      of_a.step({both.gradients[0]}, {.loss = 1});
      if (has_gradient_of_b(t)) of_b.step({both.gradients[1]}, {.loss = 1});
      else CHECK(same_bits(both.values[1], still));
      CHECK(same_bits(both.values[0], a.values[0]));
      CHECK(same_bits(both.values[1], b.values[0]));
      std::vector<float> x(24), x_alone(24);
      opt.averaged(1, x);
      of_b.averaged(0, x_alone);
      CHECK(same_bits(x, x_alone));
      if (t == 3 || t == 6) {  // into one that knows nothing of it, and into one whose parameters part elsewhere
        const std::string saved = opt.to_bytes();
        opt = optimizer<float>(chain, both.parameters(), some);
        if (t == 6) {
          const auto values = both.values;
          opt.step({std::span<const float>(), std::span<const float>(both.gradients[1])}, {.loss = 1});
          both.values[0] = values[0];
          both.values[1] = values[1];
        }
        opt.load_bytes(saved);
        CHECK(opt.to_bytes() == saved);
      }
    }
  }
}

TEST_CASE("what is counted, by hand") {
  const std::optional<float> none;
  // Adam with a constant gradient moves by lr in each step that counts.
  near(moves("scale_by_adam | apply_update", {1, none, none, 1, 1}, {.lr = 0.5}), {-0.5, 0, 0, -0.5, -0.5});
  // A gradient of zero is no missing gradient: m̂ = 0.09/0.19, v̂ = 0.000999/0.001999.
  near(moves("scale_by_adam | apply_update", {1, 0.0f}, {.lr = 0.5}), {-0.5, -0.5 * (0.09 / 0.19) / std::sqrt(0.000999 / 0.001999)});
  // Schedules count every step; so does a schedule of a field.
  near(moves("linear(steps=4) | apply_update", {1, none, 1, none}, {.lr = 1}), {-1, 0, -0.5, 0});
  near(moves("scheduled(by, linear(steps=4), scale(by=1)) | apply_update", {1, none, 1, none}, {.lr = 1}), {-1, 0, -0.5, 0});
  near(moves("apply_update", {none, 1}, {.lr = 1, .warmup_steps = 4}), {0, -0.5});
  // Decoupled decay of 0.5 and no gradient: from y = -1, nothing.
  near(moves("apply_update", {1, none, 0.0f}, {.lr = 1, .weight_decay = 0.5}), {-1, 0, 0.5});
  // A mean of two gradients, where one is missing; and a step for which both are.
  near(moves("accumulate(steps=2) | apply_update", {none, 4, 4, none, none, none, 2, 2}, {.lr = 1}), {0, -2, 0, -2, 0, 0, 0, -2});
  // The norm of what is there: 3 beside 1, then 1 alone.
  near(moves("clip_by_global_norm(max_norm=1) | apply_update", {3, none}, {.lr = 1}), {-3 / std::sqrt(10.0), 0});
}

TEST_CASE("to AMUSE's average a step without a gradient is a step that does not move") {
  const std::string chain = "amuse_beta(beta1=0.6, rho=0.8) | update_by_schedule_free";
  const options o{.lr = 0.1, .warmup_steps = 4};
  for (const std::vector<long>& missed : {std::vector<long>{4, 5}, {2, 4}, {1, 2}, {3, 7, 8}}) {
    float w = 1, still = 1, other = 1, g = 0;
    const auto named = [](const char* name, float& value) { return parameter<float>{.name = name, .shape = {1}, .data = &value}; };
    optimizer<float> opt(chain, {named("w", w), named("other", other)}, o), at_rest(chain, {named("w", still)}, o);
    for (long t = 1; t <= 12; ++t) {
      const bool has = std::find(missed.begin(), missed.end(), t) == missed.end();
      g = static_cast<float>(test::noise(3, static_cast<std::uint64_t>(t)));
      const std::span<const float> given(&g, 1);
      opt.step({has ? given : std::span<const float>(), given});
      at_rest.lr(has ? 0.1 : 0);
      at_rest.step({given});
      CAPTURE(t);
      CHECK(w == doctest::Approx(still).epsilon(1e-5));
      if (t == 6) opt.load_bytes(opt.to_bytes());
    }
  }
}

TEST_CASE("half a window of accumulate, saved where a parameter had no gradient") {
  model<float> m(two);
  const std::string chain = "accumulate(steps=3) | scale_by_adam | apply_update";
  optimizer<float> opt(chain, m.parameters(), some);
  const spans of_a{m.gradients[0], {}}, of_none{{}, {}};
  opt.step(of_a);
  const std::string saved = opt.to_bytes();
  opt = optimizer<float>(chain, m.parameters(), some);
  opt.load_bytes(saved);
  opt.step(of_none);
  const auto before = m.values;
  CHECK(opt.step(of_none).without_gradient == 1);
  CHECK(!same_bits(m.values[0], before[0]));
  CHECK(same_bits(m.values[1], before[1]));
}

TEST_CASE("a step without any gradient counts for schedules alone; one that is refused changes nothing") {
  model<float> m(two);
  optimizer<float> opt("sf_adamw", m.parameters(), some);
  opt.step(m.gradients);
  const auto before = m.values;
  CHECK(opt.step(spans(2)).without_gradient == 2);
  CHECK(same_bits(m.values, before));
  CHECK(opt.steps() == 2);
  CHECK(opt.describe().find(", steps=1") != std::string::npos);

  const auto table = opt.describe();
  CHECK_THROWS_WITH_AS(opt.step({std::span<const float>(), std::span<const float>(m.gradients[1]).first(3)}),
                       "[step] Expected a gradient of 24 elements for 'b' with shape (4, 6). Received 3.", error);
  CHECK(opt.describe() == table);
  CHECK(same_bits(m.values, before));
}

TEST_CASE_TEMPLATE("nullopt and an empty vector are no gradient", T, float, double) {
  std::vector<T> w(2), v(2);
  const std::vector<T> g{1, 1}, none;
  optimizer<T> opt("apply_update", {as_parameter("w", w), as_parameter("v", v)}, some);
  using optional_spans = std::vector<std::optional<std::span<const T>>>;
  CHECK(opt.step(optional_spans{g, std::nullopt}).without_gradient == 1);
  CHECK(opt.step(std::vector<std::optional<std::vector<T>>>{std::nullopt, g}).without_gradient == 1);
  CHECK(opt.step(std::vector{none, g}).without_gradient == 1);
  CHECK(opt.step(std::vector{gradient_view(), gradient_view(std::span(g))}).without_gradient == 1);
}

TEST_CASE("threads change nothing of it") {
  const std::vector<test::layer> layers{{"a", {300, 300}}, {"b", {300, 300}}, {"c", {70000}}};
  std::vector<std::vector<std::vector<float>>> results;
  for (const std::size_t count : {1, 3}) {
    model<float> m(layers);
    optimizer<float> opt("clip_by_global_norm(max_norm=1) | scale_by_adam | apply_update", m.parameters(),
                         {.lr = 0.01, .parallel = threads(count)});
    for (long t = 1; t <= 4; ++t) {
      m.differentiate(t);
      opt.step(spans{m.gradients[0], t % 2 ? std::span<const float>(m.gradients[1]) : std::span<const float>(), m.gradients[2]});
    }
    results.push_back(m.values);
  }
  CHECK(same_bits(results[0], results[1]));
}

TEST_CASE("the last window is flushed or dropped") {
  const std::string chain = "accumulate(steps=3) | scale_by_adam | apply_update";
  for (const bool saved_between : {false, true}) {
    model<float> m(two), twin(two);
    optimizer<float> opt(chain, m.parameters(), some), pairs("accumulate(steps=2) | scale_by_adam | apply_update", twin.parameters(), some);
    CHECK(!opt.flush().taken);
    for (long t = 1; t <= 2; ++t) {
      m.differentiate(t);
      twin.differentiate(t);
      CHECK(!opt.step(m.gradients).taken);
      pairs.step(twin.gradients);
    }
    const auto report = opt.flush();  // the mean of two
    CHECK(report.taken);
    CHECK(report.lr == 0.01);
    CHECK(opt.steps() == 1);
    for (std::size_t i = 0; i < 24; ++i) CHECK(m.values[0][i] == doctest::Approx(twin.values[0][i]).epsilon(1e-6));
    CHECK(!opt.flush().taken);

    m.differentiate(7);
    opt.step(m.gradients);
    const auto before = m.values;
    opt.drop();
    CHECK(!opt.flush().taken);
    if (saved_between) {
      const std::string saved = opt.to_bytes();
      opt = optimizer<float>(chain, m.parameters(), some);
      opt.load_bytes(saved);
    }
    CHECK(same_bits(m.values, before));
    for (long t = 8; t <= 10; ++t) {  // a window that knows nothing of what was dropped
      m.differentiate(t);
      CHECK(opt.step(m.gradients).taken == (t == 10));
    }
    CHECK(opt.steps() == 2);
  }
  model<float> m(two);
  optimizer<float> opt(chain, m.parameters(), some);
  opt.step({m.gradients[0], std::span<const float>()});
  const auto before = m.values;
  CHECK(opt.flush().without_gradient == 1);
  CHECK(same_bits(m.values[1], before[1]));
  optimizer<float> none("adamw", m.parameters(), some);
  CHECK(!none.flush().taken);
  none.drop();
}
