// Which parameter takes which branch, and the state that belongs to one branch only.
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/amuse_beta.hpp>
#include <thalweg/transforms/scale.hpp>
#include <thalweg/transforms/scale_lr.hpp>
#include <thalweg/transforms/schedule_weight_decay.hpp>
#include <thalweg/transforms/update_by_schedule_free.hpp>
#include <thalweg/transforms/warmup.hpp>

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;
using test::model;

namespace {

constexpr auto named(char first) {
  return [first](const parameter_info& p) { return p.name.front() == first; };
}

// With lr 1 and no decay a step is θ - factor·g: the factor shows which branch a parameter took.
std::vector<double> factors(const auto& given, std::vector<test::layer> layers, options o = {.lr = 1}) {
  model<double> m(std::move(layers));
  auto opt = optimizer(given, m.parameters(), o);
  const auto before = m.values;
  m.train(opt, 1, 1);
  std::vector<double> all;
  for (std::size_t i = 0; i < before.size(); ++i) {
    const double by = (before[i][0] - m.values[i][0]) / m.gradients[i][0];
    for (std::size_t j = 0; j < before[i].size(); ++j)
      CHECK(before[i][j] - by * m.gradients[i][j] == doctest::Approx(m.values[i][j]));
    all.push_back(by);
  }
  return all;
}

void are(const std::vector<double>& received, const std::vector<double>& expected) {
  REQUIRE(received.size() == expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i) CHECK(received[i] == doctest::Approx(expected[i]));
}

const std::vector<test::layer> abcd{{"a", {2}}, {"b", {3}}, {"c", {17}}, {"d", {1}}};

}  // namespace

TEST_CASE("hidden_matrix takes hidden matrices and filters alone") {
  const auto takes = [](std::vector<std::size_t> shape, role r) {
    return hidden_matrix(parameter_info{.name = "p", .shape = std::move(shape), .role = r});
  };
  CHECK(takes({2, 3}, role::hidden));
  CHECK(takes({2, 3, 3, 3}, role::hidden));
  CHECK(takes({1, 3}, role::hidden));
  CHECK(!takes({3}, role::hidden));
  CHECK(!takes({}, role::hidden));
  CHECK(!takes({2, 3}, role::embedding));
  CHECK(!takes({2, 3}, role::head));
}

TEST_CASE("a parameter takes the first branch whose predicate holds") {
  const auto any = [](const parameter_info&) { return true; };
  are(factors(route(when(named('b'), scale{2}), when(any, scale{3}), when(named('c'), scale{5}),
                    otherwise(scale{7})),
              abcd),
      {3, 2, 3, 3});
}

TEST_CASE("predicates behind the first that holds are not asked, and each is asked once a parameter") {
  std::string asked;
  const auto ask = [&asked](char c, bool answer) {
    return [&asked, c, answer](const parameter_info& p) {
      asked += p.name + c + " ";
      return answer && p.name == "a";
    };
  };
  model<float> m({{"a", {2}}, {"b", {2}}});
  auto opt = optimizer(route(when(ask('1', false)), when(ask('2', true)), when(ask('3', true)), otherwise()),
                       m.parameters(), {});
  CHECK(asked == "a1 a2 b1 b2 b3 ");
  m.train(opt, 1, 2);
  CHECK(asked == "a1 a2 b1 b2 b3 ");  // at binding only
}

TEST_CASE("predicates see name, shape, role and order") {
  std::vector<float> memory(12);
  parameter_info seen;
  const auto look = [&](const parameter_info& p) { return seen = p, true; };
  optimizer(
      route(when(look)),
      std::vector<parameter<float>>{{"w", {3, 4}, role::head, memory.data(), storage_order::column_major}},
      {});
  CHECK(seen.name == "w");
  CHECK(seen.shape == std::vector<std::size_t>{3, 4});
  CHECK(seen.role == role::head);
  CHECK(seen.order == storage_order::column_major);
  CHECK(seen.size() == 12);
}

TEST_CASE("is_embedding and is_head go by the role, is_vector by the rank") {
  const auto takers = [](std::vector<std::size_t> shape, role r) {
    const parameter_info p{.name = "p", .shape = std::move(shape), .role = r};
    return std::vector<bool>{is_embedding(p), is_head(p), is_vector(p)};
  };
  CHECK(takers({2, 3}, role::hidden) == std::vector{false, false, false});
  CHECK(takers({2, 3}, role::embedding) == std::vector{true, false, false});
  CHECK(takers({2, 3, 3, 3}, role::head) == std::vector{false, true, false});
  CHECK(takers({3}, role::hidden) == std::vector{false, false, true});
  CHECK(takers({}, role::hidden) == std::vector{false, false, true});
  CHECK(takers({3}, role::head) == std::vector{false, true, true});
  const std::vector<test::layer> layers{
      {"w", {2, 3}}, {"table", {4, 3}, role::embedding}, {"out", {2, 3}, role::head}, {"b", {3}}};
  const auto each = route(when(is_embedding, scale{2}), when(is_head, scale{3}), when(is_vector, scale{5}), otherwise());
  are(factors(each, layers), {1, 2, 3, 5});
}

TEST_CASE("a pattern matches the whole name") {
  const auto takes = [](const char* pattern, std::string name) {
    return name_matches{pattern}(parameter_info{.name = std::move(name)});
  };
  CHECK(takes("*.bias", "blocks.0.bias"));
  CHECK(takes("*.bias", ".bias"));
  CHECK(!takes("*.bias", "blocks.0.bias2"));
  CHECK(!takes("*.bias", "bias"));
  CHECK(takes("w", "w"));
  CHECK(!takes("w", "W"));
  CHECK(!takes("w", ""));
  CHECK(takes("", ""));
  CHECK(!takes("", "w"));
  CHECK(takes("*", ""));
  CHECK(takes("**", "a.b"));
  CHECK(takes("a*b*c", "aXbYbZc"));
  CHECK(!takes("a*b*c", "aXbYbZ"));
  CHECK(takes("blocks.?.w", "blocks.7.w"));
  CHECK(!takes("blocks.?.w", "blocks.17.w"));
  CHECK(!takes("w?", "w"));
  CHECK(takes("*?", "w"));
  CHECK(takes("?", "é"));
  CHECK(takes("*?", "日本"));
  CHECK(!takes("?", "日本"));
  CHECK(takes("w[0]", "w[0]"));
  CHECK(!takes("w[0]", "w0"));
  CHECK(!takes("*a*a*a*a*a*a*a*a*b", std::string(10000, 'a')));
}

TEST_CASE("shapes by rank and by sides, and predicates of predicates") {
  const auto of = [](std::vector<std::size_t> shape) {
    return parameter_info{.name = "p", .shape = std::move(shape), .role = role::hidden};
  };
  CHECK(has_rank{0}(of({})));
  CHECK(has_rank{2}(of({3, 4})));
  CHECK(!has_rank{2}(of({3, 4, 1})));
  const has_at_least sides{.rows = 3, .cols = 8};
  CHECK(sides(of({3, 8})));
  CHECK(!sides(of({2, 8})));
  CHECK(!sides(of({3, 7})));
  CHECK(sides(of({3, 2, 2, 2})));
  CHECK(has_at_least{.rows = 3}(of({3})));
  CHECK(!has_at_least{.cols = 2}(of({3})));

  const auto both = all_of(hidden_matrix, has_rank{2});
  const auto one = any_of(is_vector, has_rank{2});
  const auto neither = none_of(is_vector, has_rank{2});
  CHECK(both(of({3, 4})));
  CHECK(!both(of({3, 4, 5})));
  CHECK(one(of({3})));
  CHECK(one(of({3, 4})));
  CHECK(!one(of({3, 4, 5})));
  CHECK(neither(of({3, 4, 5})));
  CHECK(!neither(of({3})));
  CHECK(!none_of(any_of(is_vector))(of({3})));

  are(factors(route(when(all_of(name_matches{"?"}, none_of(name_matches{"b"})), scale{2}), otherwise(scale{3})), abcd), {2, 3, 2, 2});
  CHECK_THROWS_WITH_AS(when(has_rank{-1}), "[has_rank] Expected rank in [0, inf). Received -1.", error);
  CHECK_THROWS_WITH_AS(all_of(is_head, has_at_least{.rows = 0}), "[has_at_least] Expected rows in [1, inf). Received 0.", error);
}

TEST_CASE("a parameter without a branch is refused at binding, before anything is written") {
  model<float> m({{"w", {2, 3}}, {"table", {4, 3}, role::embedding}, {"b", {}}});
  const auto before = m.values;
  CHECK_THROWS_WITH_AS(
      optimizer(route(when(hidden_matrix, scale{1})), m.parameters(), {}),
      "[route] Expected a branch for every parameter. Received 'table' with shape (4, 3) and role "
      "embedding, which no when(…) takes. Add otherwise(…).",
      error);
  CHECK_THROWS_WITH_AS(
      optimizer(scale{1} | route(when(hidden_matrix, scale{1}), when(named('t'))), m.parameters(), {}),
      "[route] Expected a branch for every parameter. Received 'b' with shape () and role hidden, which "
      "no when(…) takes. Add otherwise(…).",
      error);
  CHECK(test::same_bits(m.values, before));
}

TEST_CASE("a parameter without a role is refused where the chain decides by it") {
  const auto refusal = [](const auto& chain, std::vector<std::size_t> shape, role r = role::unspecified) -> std::string {
    model<double> m({{"wte", std::move(shape), r}});
    try {
      optimizer(chain, m.parameters(), {});
      return "";
    } catch (const error& e) {
      return e.what();
    }
  };
  const std::string asked = "[route] Expected a role for 'wte' with shape (2, 3), because this chain routes by role: hidden, "
                            "embedding or head. Received none.";
  const auto for_matrices = route(when(hidden_matrix, scale{1}), otherwise());
  CHECK(refusal(for_matrices, {2, 3}) == asked);
  CHECK(refusal(for_matrices, {3}) == "");
  CHECK(refusal(for_matrices, {}) == "");
  for (const role r : {role::hidden, role::embedding, role::head}) CHECK(refusal(for_matrices, {2, 3}, r) == "");
  CHECK(refusal(scale{1}, {2, 3}) == "");
  CHECK(refusal(route(when(is_vector, scale{1}), otherwise()), {2, 3}) == "");
  // Also in a route within a route, by a predicate of the user's, and where only one role has a branch.
  CHECK(refusal(route(when(named('w'), for_matrices), otherwise()), {2, 3}) == asked);
  CHECK(refusal(route(when(named('x'), for_matrices), otherwise()), {2, 3}) == "");
  CHECK(refusal(route(when([](const parameter_info& p) { return p.role != role::head; }, scale{1}), otherwise()), {2, 3}) ==
        asked);
  CHECK(refusal(route(when(is_embedding, scale{1})), {2, 3}) == asked);
  CHECK(refusal(route(when(named('x'), scale{1})), {2, 3}) ==
        "[route] Expected a branch for every parameter. Received 'wte' with shape (2, 3) and role unspecified, which no "
        "when(…) takes. Add otherwise(…).");
}

namespace {

/// a and c as they are, b with its own lr, d without decay.
std::vector<test::layer> with_factors() {
  auto layers = abcd;
  layers[1].lr_factor = 0.3;
  layers[3].weight_decay_factor = 0;
  return layers;
}

}  // namespace

TEST_CASE("a parameter's factors multiply its lr and its weight decay") {
  const options o{.lr = 0.5, .weight_decay = 0.25, .warmup_steps = 2};
  model<double> m(with_factors());
  auto before = m.values;
  auto opt = optimizer(scale{2}, m.parameters(), o);
  for (long t = 1; t <= 3; ++t) {
    m.train(opt, t, t);
    for (std::size_t i = 0; i < 4; ++i) {
      const double lr = (t == 1 ? 0.25 : 0.5) * (i == 1 ? 0.3 : 1), decay = i == 3 ? 0 : 0.25;
      for (std::size_t j = 0; j < before[i].size(); ++j) {
        before[i][j] -= lr * 2 * m.gradients[i][j] + lr * decay * before[i][j];
        CHECK(m.values[i][j] == doctest::Approx(before[i][j]).epsilon(1e-14));
      }
    }
  }
}

TEST_CASE("factors are what transforms of a branch would do, bit for bit, and 1 is nothing") {
  const options o{.lr = 0.1, .weight_decay = 0.5, .warmup_steps = 3};
  model<double> by_factors(with_factors()), by_route(abcd), plain(abcd);
  auto with = optimizer(scale{2}, by_factors.parameters(), o);
  auto branches = optimizer(route(when(named('b'), scale_lr{.by = 0.3}),
                                  when(named('d'), schedule_weight_decay(scale_lr{.by = 0})), otherwise()) | scale{2},
                            by_route.parameters(), o);
  auto without = optimizer(scale{2}, plain.parameters(), o);
  by_factors.train(with, 1, 6);
  by_route.train(branches, 1, 6);
  plain.train(without, 1, 6);
  CHECK(test::same_bits(by_factors.values, by_route.values));
  for (const std::size_t i : {0, 2}) CHECK(test::same_bits(by_factors.values[i], plain.values[i]));
  for (const std::size_t i : {1, 3}) CHECK(!test::same_bits(by_factors.values[i], plain.values[i]));
}

TEST_CASE("a parameter's lr_factor does not weigh in its average") {
  // So small that lr² is 0, and 0 itself: the average is that of the steps all the same.
  for (const double factor : {0.0, 1e-170, 0.7, 3.0}) {
    CAPTURE(factor);
    model<double> m({{"a", {4}}, {"b", {4}, role::hidden, factor}});
    const auto first = m.values;
    auto opt = optimizer(chain(update_by_schedule_free{.beta = 0.75}), m.parameters(), {.lr = 0.2, .warmup_steps = 3});
    std::vector<double> x = m.values[1], z = x, y = x;
    double weights = 0;
    for (long t = 1; t <= 6; ++t) {
      m.train(opt, t, t);
      const double lr = 0.2 * std::min(1.0, static_cast<double>(t) / 3);
      weights += lr * lr;
      for (std::size_t j = 0; j < 4; ++j) {
        z[j] -= factor * lr * m.gradients[1][j];
        x[j] += lr * lr / weights * (z[j] - x[j]);
        y[j] = 0.25 * z[j] + 0.75 * x[j];
        CHECK(m.values[1][j] == doctest::Approx(y[j]).epsilon(1e-12));
      }
    }
    CHECK((factor > 0.1) == !test::same_bits(m.values[1], first[1]));
  }
}

TEST_CASE("a branch may be an empty chain") {
  are(factors(route(when(named('a'), chain()), when(named('b')), otherwise(scale{3})) | scale{2}, abcd),
      {2, 2, 6, 6});
}

TEST_CASE("a branch takes transforms as the pipe does, or as arguments") {
  are(factors(route(when(named('a'), scale{2}, scale{3}), otherwise(scale{5} | scale{7}, scale{11})), abcd),
      {6, 385, 385, 385});
}

TEST_CASE("routes nest, and several stand in one chain") {
  const auto inner = route(when(named('a'), scale{2}), otherwise(scale{3}));
  const auto ab = [](const parameter_info& p) { return p.name < "c"; };
  are(factors(route(when(ab, inner | scale{5}), when(named('c'), scale{7}), otherwise(scale{11})), abcd),
      {10, 15, 7, 11});
  are(factors(route(when(ab, route(when(named('a'), route(otherwise(scale{2}))), otherwise(scale{3}))),
                    otherwise()) |
                  inner,
              abcd),
      {4, 9, 3, 3});
}

TEST_CASE("a route may end its chain in each branch") {
  const auto ends = route(when(named('a'), scale{2} | apply_update{}),
                          when(named('b'), update_by_schedule_free{.beta = 1}), otherwise(scale{3}));
  are(factors(ends, abcd), {2, 1, 3, 3});  // y is x is z after the first step
}

TEST_CASE("a branch that no parameter takes does nothing, and is not checked against parameters") {
  const auto nobody = [](const parameter_info&) { return false; };
  are(factors(route(when(nobody, amuse_beta{} | update_by_schedule_free{}), otherwise(scale{3})), abcd),
      {3, 3, 3, 3});
}

TEST_CASE("contextual transforms of a branch act on that branch alone, also in a shared terminal") {
  are(factors(scale_lr{.by = 10} |
                  route(when(named('a'), scale_lr{.by = 0.5}), when(named('b'), scale_lr{.by = 2}),
                        otherwise(scale{3})) |
                  scale_lr{.by = 0.1} | apply_update{},
              abcd),
      {0.5, 2, 3, 3});
  // Nested, and in the second route of a chain.
  are(factors(route(when(named('a'), route(otherwise(scale_lr{.by = 2})) | scale{3}), otherwise()) |
                  route(when(named('b'), scale_lr{.by = 5}), otherwise()), abcd), {6, 5, 1, 1});
}

TEST_CASE("a shared Schedule-Free terminal averages each branch by its own learning rates") {
  // After a warm-up in one branch only, the weights lr² of the branches' averages differ.
  model<double> m({{"a", {4}}, {"b", {4}}});
  auto opt = optimizer(route(when(named('a'), warmup{.steps = 4}), otherwise(scale_lr{.by = 0.5})) |
                           update_by_schedule_free{.beta = 0.75},
                       m.parameters(), {.lr = 0.2});
  struct sequence {
    std::vector<double> x, y, z;
    double weights = 0;
  };
  std::vector<sequence> expected{{m.values[0], m.values[0], m.values[0]},
                                 {m.values[1], m.values[1], m.values[1]}};
  for (long t = 1; t <= 6; ++t) {
    m.train(opt, t, t);
    for (std::size_t i = 0; i < 2; ++i) {
      auto& [x, y, z, weights] = expected[i];
      const double lr = i ? 0.1 : 0.2 * std::min(1.0, static_cast<double>(t) / 4);
      weights += lr * lr;
      const double c = lr * lr / weights;
      for (std::size_t j = 0; j < 4; ++j) {
        z[j] -= lr * m.gradients[i][j];
        x[j] += c * (z[j] - x[j]);
        y[j] = 0.25 * z[j] + 0.75 * x[j];
        CHECK(m.values[i][j] == doctest::Approx(y[j]).epsilon(1e-12));
      }
    }
  }
}

TEST_CASE("weight decay spent in a branch is spent for that branch alone") {
  struct spend {
    constexpr context at(context c) const {
      c.weight_decay = 0;
      return c;
    }
  };
  model<double> m({{"a", {3}}, {"b", {3}}});
  const auto before = m.values;
  auto opt = optimizer(route(when(named('a'), spend{}), otherwise()), m.parameters(),
                       {.lr = 1, .weight_decay = 0.5});
  m.train(opt, 1, 1);
  for (std::size_t j = 0; j < 3; ++j) {
    CHECK(m.values[0][j] == doctest::Approx(before[0][j] - m.gradients[0][j]));
    CHECK(m.values[1][j] == doctest::Approx(0.5 * before[1][j] - m.gradients[1][j]));
  }
}
