// x in the parameters while a guard lives, y bit for bit after.
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/scale.hpp>
#include <thalweg/transforms/scale_by_exp_avg_sq.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>

#include <optional>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

// Schedule-Free with x, y and z each stored, in double.
struct reference {
  model<double> data;
  double lr, beta;
  std::vector<std::vector<double>> x = data.values, y = x, z = x;
  long t = 0;
  void step() {
    data.differentiate(++t);
    for (std::size_t i = 0; i < x.size(); ++i)
      for (std::size_t j = 0; j < x[i].size(); ++j) {
        z[i][j] -= lr * data.gradients[i][j];
        x[i][j] += (z[i][j] - x[i][j]) / static_cast<double>(t);
        y[i][j] = (1 - beta) * z[i][j] + beta * x[i][j];
      }
  }
};

constexpr auto schedule_free = chain(update_by_schedule_free{.beta = 0.75});

// Matrices are averaged with one β, the embedding with another, vectors not at all.
constexpr auto partly = route(when(hidden_matrix, update_by_schedule_free{.beta = 0.75}),
                              when([](const parameter_info& p) { return p.role == role::embedding; },
                                   scale{.by = 2} | update_by_schedule_free{.beta = 0.5}),
                              otherwise(scale{.by = 3}));

template <class T>
model<T> small() { return model<T>(test::small_layers()); }

template <class Optimizer, class T>
std::vector<T> averaged_of(const Optimizer& opt, std::size_t i, const std::vector<T>& like) {
  std::vector<T> out(like.size());
  opt.averaged(i, out);
  return out;
}

}  // namespace

TEST_CASE_TEMPLATE("the parameters are x inside and y outside, over many steps", T, float, double) {
  const double tolerance = sizeof(T) == 4 ? 1e-5 : 1e-13;
  auto m = small<T>();
  reference expected{small<double>(), 0.25, 0.75};
  auto opt = optimizer(schedule_free, m.parameters(), {.lr = 0.25});
  for (long t = 1; t <= 40; ++t) {
    m.train(opt, t, t);
    expected.step();
    CHECK(test::distance(m.values, expected.y) < tolerance);
    const auto y = m.values;
    {
      auto at_x = opt.evaluation_point();
      CHECK(test::distance(m.values, expected.x) < tolerance);
      if (t > 1) CHECK(test::distance(m.values, y) > 1e-3);
    }
    CHECK(same_bits(m.values, y));
  }
}

TEST_CASE("evaluating changes nothing of the training, bit for bit") {
  auto watched = small<float>(), alone = small<float>();
  auto a = optimizer(partly, watched.parameters(), {.lr = 0.25}),
       b = optimizer(partly, alone.parameters(), {.lr = 0.25});
  for (long t = 1; t <= 20; ++t) {
    watched.train(a, t, t);
    alone.train(b, t, t);
    for (int n = 0; n < 2; ++n) {
      auto at_x = a.evaluation_point();
      for (auto& v : watched.values) averaged_of(a, static_cast<std::size_t>(&v - watched.values.data()), v);
    }
    CHECK(same_bits(watched.values, alone.values));
  }
}

TEST_CASE("what the user writes into the parameters while they hold x is gone after") {
  auto m = small<float>();
  auto opt = optimizer(schedule_free, m.parameters(), {.lr = 0.25});
  m.train(opt, 1, 3);
  const auto y = m.values;
  {
    auto at_x = opt.evaluation_point();
    m.values[0][0] = 1e30f;
  }
  CHECK(same_bits(m.values, y));
}

TEST_CASE("before the first step x is y is the start") {
  auto m = small<float>();
  const auto start = m.values;
  auto opt = optimizer(partly, m.parameters(), {});
  auto at_x = opt.evaluation_point();
  CHECK(same_bits(m.values, start));
}

TEST_CASE("there is one guard at a time, and no step while it lives") {
  auto m = small<float>();
  auto opt = optimizer(schedule_free, m.parameters(), {.lr = 0.25});
  m.train(opt, 1, 3);
  const auto y = m.values;
  {
    auto at_x = opt.evaluation_point();
    const auto x = m.values;
    CHECK_THROWS_WITH_AS(
        (void)opt.evaluation_point(),
        "[evaluation_point] Expected the parameters at y. Received a second evaluation point while one is active.", error);
    CHECK_THROWS_WITH_AS(
        opt.step(m.gradients),
        "[step] Expected the parameters at y. Received them at x: end the evaluation point first.", error);
    CHECK(same_bits(m.values, x));
    CHECK(opt.steps() == 3);
  }
  CHECK(same_bits(m.values, y));
  auto again = opt.evaluation_point();
}

TEST_CASE("a guard may be moved and kept") {
  auto m = small<float>();
  auto opt = optimizer(schedule_free, m.parameters(), {.lr = 0.25});
  m.train(opt, 1, 3);
  const auto y = m.values;
  {
    std::optional<evaluation_guard<float>> kept;
    {
      auto at_x = opt.evaluation_point();
      kept.emplace(std::move(at_x));
    }
    CHECK(!same_bits(m.values, y));
  }
  CHECK(same_bits(m.values, y));
}

TEST_CASE("a guard may outlive its optimizer") {
  auto m = small<float>();
  std::vector<std::vector<float>> y;
  {
    std::optional<evaluation_guard<float>> kept;
    {
      auto opt = optimizer(schedule_free, m.parameters(), {.lr = 0.25});
      m.train(opt, 1, 3);
      y = m.values;
      kept.emplace(opt.evaluation_point());
    }
    CHECK(!same_bits(m.values, y));
  }
  CHECK(same_bits(m.values, y));
}

TEST_CASE("an optimizer may be moved while a guard lives") {
  auto m = small<float>(), twin = small<float>();
  auto opt = optimizer(partly, m.parameters(), {.lr = 0.25}),
       never_moved = optimizer(partly, twin.parameters(), {.lr = 0.25});
  m.train(opt, 1, 3);
  twin.train(never_moved, 1, 3);
  std::optional<decltype(opt)> moved;
  {
    auto at_x = opt.evaluation_point();
    moved.emplace(std::move(opt));
    CHECK_THROWS_AS(moved->step(m.gradients), error);
    CHECK_THROWS_AS((void)moved->evaluation_point(), error);
    CHECK(same_bits(averaged_of(*moved, 0, m.values[0]), m.values[0]));
  }
  CHECK(same_bits(m.values, twin.values));
  m.train(*moved, 4, 9);
  twin.train(never_moved, 4, 9);
  CHECK(same_bits(m.values, twin.values));
  auto at_x = moved->evaluation_point();
  for (std::size_t i = 0; i < m.values.size(); ++i)
    CHECK(same_bits(m.values[i], averaged_of(never_moved, i, twin.values[i])));
}

TEST_CASE("averaged copies x, and leaves the parameters alone, at y and at x") {
  auto m = small<double>();
  auto opt = optimizer(partly, m.parameters(), {.lr = 0.25});
  m.train(opt, 1, 7);
  const auto y = m.values;
  std::vector<std::vector<double>> outside;
  for (std::size_t i = 0; i < y.size(); ++i) outside.push_back(averaged_of(opt, i, y[i]));
  CHECK(same_bits(m.values, y));
  auto at_x = opt.evaluation_point();
  CHECK(same_bits(m.values, outside));
  for (std::size_t i = 0; i < y.size(); ++i) CHECK(same_bits(averaged_of(opt, i, y[i]), outside[i]));
}

TEST_CASE("where only some branches average, each answers for itself") {
  auto m = small<double>();
  auto opt = optimizer(partly, m.parameters(), {.lr = 0.25});
  // The same, each in an optimizer of its own.
  reference matrices{small<double>(), 0.25, 0.75}, embedding{small<double>(), 0.5, 0.5};
  m.train(opt, 1, 7);
  for (int t = 0; t < 7; ++t) matrices.step(), embedding.step();
  const auto y = m.values;
  auto at_x = opt.evaluation_point();
  for (const std::size_t i : {0, 2}) {
    CHECK(test::distance<double, double>({m.values[i]}, {matrices.x[i]}) < 1e-12);
    CHECK(test::distance<double, double>({y[i]}, {matrices.y[i]}) < 1e-12);
  }
  CHECK(test::distance<double, double>({m.values[3]}, {embedding.x[3]}) < 1e-12);
  CHECK(test::distance<double, double>({y[3]}, {embedding.y[3]}) < 1e-12);
  for (const std::size_t i : {1, 4}) CHECK(same_bits(m.values[i], y[i]));
}

TEST_CASE("a chain without an average is at x always") {
  auto m = small<float>();
  auto opt = optimizer(scale{1}, m.parameters(), {.lr = 0.25});
  m.train(opt, 1, 3);
  const auto p = m.values;
  {
    auto at_x = opt.evaluation_point();
    CHECK(same_bits(m.values, p));
  }
  CHECK(same_bits(m.values, p));
  CHECK(same_bits(averaged_of(opt, 2, p[2]), p[2]));
  m.train(opt, 4, 4);
  CHECK(!same_bits(m.values, p));
}

TEST_CASE("with β = 0 x is lost, and asking for it says so") {
  auto m = small<float>();
  auto opt = optimizer(route(when(hidden_matrix, update_by_schedule_free{.beta = 0}),
                             otherwise(update_by_schedule_free{.beta = 0.5})),
                       m.parameters(), {.lr = 0.25});
  CHECK(same_bits(averaged_of(opt, 0, m.values[0]), m.values[0]));  // before the first step nothing is lost yet
  m.train(opt, 1, 3);
  const auto y = m.values;
  const auto says = [](auto call) {
    try {
      call();
      FAIL("nothing was thrown");
    } catch (const error& e) {
      const std::string text = e.what();
      CHECK(text.starts_with("[update_by_schedule_free] Expected beta > 0 to evaluate at x. Received 0"));
    }
  };
  says([&] { (void)opt.evaluation_point(); });
  says([&] { averaged_of(opt, 0, y[0]); });
  CHECK(same_bits(m.values, y));
  CHECK(!same_bits(averaged_of(opt, 1, y[1]), y[1]));  // of the other branch
  m.train(opt, 4, 4);  // and training goes on
}

TEST_CASE("with β = 1 y is x") {
  auto m = small<double>();
  auto opt = optimizer(update_by_schedule_free{.beta = 1}, m.parameters(), {.lr = 0.25});
  m.train(opt, 1, 5);
  const auto y = m.values;
  auto at_x = opt.evaluation_point();
  CHECK(test::distance(m.values, y) < 1e-15);
}

TEST_CASE("averaged refuses a wrong index or size") {
  auto m = small<float>();
  const auto opt = optimizer(schedule_free, m.parameters(), {});
  std::vector<float> out(34);
  CHECK_THROWS_WITH_AS(opt.averaged(5, out), "[averaged] Expected an index below 5. Received 5.", error);
  CHECK_THROWS_WITH_AS(opt.averaged(0, out),
                       "[averaged] Expected room for the 35 elements of 'w1'. Received 34.", error);
}

TEST_CASE("unfused, the evaluation point is the same") {
  auto m = small<double>(), n = small<double>();
  auto fused = optimizer(schedule_free, m.parameters(), {.lr = 0.25});
  auto slow = optimizer(unfused(schedule_free), n.parameters(), {.lr = 0.25});
  m.train(fused, 1, 9);
  n.train(slow, 1, 9);
  const auto y = n.values;
  {
    auto x = fused.evaluation_point();
    auto same_x = slow.evaluation_point();
    CHECK(test::distance(m.values, n.values) < 1e-13);
  }
  CHECK(same_bits(n.values, y));
}
