// A parameter that is many matrices, or a part of one: it trains as its parts would, given one by one.
#include <algorithm>
#include <numeric>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/text.hpp>

#include "../core/model.hpp"
#include "chains.hpp"

using namespace thalweg;
using test::same_bits;

namespace {

const options some{.lr = 0.01, .weight_decay = 0.1, .warmup_steps = 1};
constexpr float gap = 77;  // what no step may touch

// A part of an array: `count` lines of `length` elements.
struct piece {
  std::string name;
  std::vector<std::size_t> shape;
  std::size_t offset, count, length, stride;
  storage_order order = storage_order::row_major;

  std::vector<float> of(std::span<const float> whole) const {
    std::vector<float> copy;
    for (std::size_t i = 0; i < count; ++i)
      copy.insert(copy.end(), whole.begin() + offset + i * stride, whole.begin() + offset + i * stride + length);
    return copy;
  }
};

struct viewed {
  std::vector<std::size_t> shape;
  std::string view;
  std::size_t extent;
  std::vector<piece> pieces;
  storage_order order = storage_order::row_major;
};

const std::vector<viewed>& all_viewed() {
  constexpr auto by_columns = storage_order::column_major;
  static const std::vector<viewed> all{
      {{3, 4, 6}, "stack", 72, {{"w[0]", {4, 6}, 0, 1, 24, 0}, {"w[1]", {4, 6}, 24, 1, 24, 0}, {"w[2]", {4, 6}, 48, 1, 24, 0}}},
      {{2, 4, 6}, "stack(stride=31)", 55, {{"w[0]", {4, 6}, 0, 1, 24, 0}, {"w[1]", {4, 6}, 31, 1, 24, 0}}},
      {{9, 6}, "row_blocks(q=4, k=2, v=3)", 54,
       {{"w.q", {4, 6}, 0, 1, 24, 0}, {"w.k", {2, 6}, 24, 1, 12, 0}, {"w.v", {3, 6}, 36, 1, 18, 0}}},
      {{4, 10}, "column_blocks(6, 4)", 40, {{"w[0]", {4, 6}, 0, 4, 6, 10}, {"w[1]", {4, 4}, 6, 4, 4, 10}}},
      {{2, 5, 4}, "stack | row_blocks(a=2, b=3)", 40,
       {{"w[0].a", {2, 4}, 0, 1, 8, 0}, {"w[0].b", {3, 4}, 8, 1, 12, 0}, {"w[1].a", {2, 4}, 20, 1, 8, 0},
        {"w[1].b", {3, 4}, 28, 1, 12, 0}}},
      {{6, 5}, "row_blocks(2, 4) | column_blocks(2, 3)", 30,
       {{"w[0][0]", {2, 2}, 0, 2, 2, 5}, {"w[0][1]", {2, 3}, 2, 2, 3, 5}, {"w[1][0]", {4, 2}, 10, 4, 2, 5},
        {"w[1][1]", {4, 3}, 12, 4, 3, 5}}},
      {{5, 4}, "column_blocks(1, 3)", 20,
       {{"w[0]", {5, 1}, 0, 1, 5, 0, by_columns}, {"w[1]", {5, 3}, 5, 1, 15, 0, by_columns}}, by_columns},
      {{5, 4}, "row_blocks(2, 3)", 20,
       {{"w[0]", {2, 4}, 0, 4, 2, 5, by_columns}, {"w[1]", {3, 4}, 2, 4, 3, 5, by_columns}}, by_columns},
      {{3, 4, 2}, "filters", 24, {{"w", {3, 8}, 0, 1, 24, 0}}},
  };
  return all;
}

// An array of noise, with the gaps between the pieces marked.
std::vector<float> noise(const viewed& v, std::uint64_t seed) {
  std::vector<float> all(v.extent, gap);
  for (const piece& p : v.pieces)
    for (std::size_t i = 0; i < p.count; ++i)
      for (std::size_t j = 0; j < p.length; ++j) {
        const std::size_t at = p.offset + i * p.stride + j;
        all[at] = static_cast<float>(test::noise(seed, at));
      }
  return all;
}

std::vector<parameter<float>> whole_of(const viewed& v, std::vector<float>& values) {
  return {{.name = "w", .shape = v.shape, .role = role::hidden, .data = values.data(), .order = v.order,
           .view = parse_view(v.view)}};
}
std::vector<parameter<float>> parts_of(const viewed& v, std::vector<std::vector<float>>& values) {
  std::vector<parameter<float>> all;
  for (std::size_t i = 0; i < v.pieces.size(); ++i)
    all.push_back({.name = v.pieces[i].name, .shape = v.pieces[i].shape, .role = role::hidden, .data = values[i].data(),
                   .order = v.pieces[i].order});
  return all;
}
std::vector<std::vector<float>> pieces_of(const viewed& v, const std::vector<float>& whole) {
  std::vector<std::vector<float>> all;
  for (const piece& p : v.pieces) all.push_back(p.of(whole));
  return all;
}

std::string refusal(std::vector<std::size_t> shape, const std::string& view, storage_order order = storage_order::row_major) {
  std::vector<float> values(1000), before = values;
  try {
    optimizer<float>("adamw", {{.name = "w", .shape = shape, .data = values.data(), .order = order, .view = parse_view(view)}}, some);
  } catch (const error& e) {
    CHECK(values == before);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a view trains as its parts do") {
  for (const std::string& chain : test::independent_chains())
    for (const viewed& v : all_viewed()) {
      CAPTURE(chain);
      CAPTURE(v.view);
      auto whole = noise(v, 1);
      auto parts = pieces_of(v, whole);
      optimizer<float> opt(chain, whole_of(v, whole), some), of_parts(chain, parts_of(v, parts), some);
      for (std::uint64_t t = 1; t <= 3; ++t) {
        const auto gradient = noise(v, 10 + t);
        const auto gradients = pieces_of(v, gradient);
        opt.step({gradient}, {.loss = 1});
        of_parts.step(gradients, {.loss = 1});
        CHECK(same_bits(pieces_of(v, whole), parts));
      }
      std::vector<float> x(v.extent, gap);
      opt.averaged(0, x);
      const auto y = whole;
      {
        const auto at_x = opt.evaluation_point();
        const auto parts_at_x = of_parts.evaluation_point();
        CHECK(same_bits(pieces_of(v, whole), parts));
        CHECK(same_bits(whole, x));
      }
      CHECK(same_bits(whole, y));
      CHECK(opt.to_bytes() == of_parts.to_bytes());
      opt = optimizer<float>(chain, whole_of(v, whole), some);
      opt.load_bytes(of_parts.to_bytes());  // nobody sees in a checkpoint how a parameter lies in memory
      const auto gradient = noise(v, 20);
      opt.step({gradient}, {.loss = 1});
      of_parts.step(pieces_of(v, gradient), {.loss = 1});
      CHECK(same_bits(pieces_of(v, whole), parts));
      for (const piece& p : v.pieces)  // all that is left of `whole` without the pieces is gap
        for (std::size_t i = 0; i < p.count; ++i)
          std::fill_n(whole.begin() + static_cast<std::ptrdiff_t>(p.offset + i * p.stride), p.length, gap);
      CHECK(std::ranges::all_of(whole, [](float f) { return f == gap; }));
    }
}

TEST_CASE("each part is a parameter: routes, the table, the norms and a missing gradient see it") {
  const viewed& v = all_viewed()[4];
  auto whole = noise(v, 1);
  optimizer<float> opt("route(when(name_matches(\"*.a\"), scale(by=0)), otherwise()) | apply_update", whole_of(v, whole),
                       {.lr = 0.01});
  const auto before = pieces_of(v, whole);
  const auto gradient = noise(v, 2);
  const auto report = opt.step({gradient}, {.measure = measure::norms});
  const auto after = pieces_of(v, whole);
  CHECK(same_bits(before[0], after[0]));
  CHECK(!same_bits(before[1], after[1]));
  REQUIRE(report.parameters.size() == 4);
  CHECK(report.parameters[3].name == "w[1].b");
  CHECK(opt.describe().find("w[1].b") != std::string::npos);
  CHECK(opt.step({std::span<const float>()}).without_gradient == 4);
  CHECK(same_bits(pieces_of(v, whole), after));
  CHECK_THROWS_WITH_AS(opt.step({std::span<const float>(gradient).first(39)}),
                       "[step] Expected a gradient of 40 elements for 'w' with shape (2, 5, 4). Received 39.", error);
  CHECK_THROWS_WITH_AS(opt.step({std::span<const float>(whole)}),
                       "[step] Expected a gradient that overlaps no parameter for 'w'. Received one that overlaps the parameter 'w[0].a'.",
                       error);
}

TEST_CASE("a gradient that is not finite is told by the name of the whole") {
  std::vector<float> w(12), g(12, std::numeric_limits<float>::infinity());
  optimizer<float> opt("when_finite | apply_update", {{.name = "w", .shape = {2, 6}, .data = w.data(), .view = {view::stack{}}}}, some);
  CHECK(opt.step({g}).parameter == "w");
}

TEST_CASE("stacks of one arena may lie between each other") {
  std::vector<float> arena(60);
  std::iota(arena.begin(), arena.end(), 1.0f);
  const auto started = arena;
  const std::vector<float> g(50, 1);
  optimizer<float> opt("apply_update",
                       {{.name = "a", .shape = {3, 2, 3}, .data = arena.data(), .view = {view::stack{.stride = 20}}},
                        {.name = "b", .shape = {3, 4}, .data = arena.data() + 6, .view = {view::stack{.stride = 20}}}},
                       {.lr = 1});
  opt.step({std::span<const float>(g).first(46), std::span<const float>(g).first(44)});
  for (std::size_t i = 0; i < 60; ++i) CHECK(arena[i] == started[i] - (i % 20 < 10 ? 1 : 0));
}

TEST_CASE("parameters without elements are left out") {
  std::vector<float> w(2, 1), none;
  const std::vector<float> g(2, 1);
  optimizer<float> opt("adamw", {{.name = "none", .shape = {0, 4}, .data = nullptr}, {.name = "w", .shape = {2}, .data = w.data()},
                                 {.name = "end", .shape = {3, 0}, .data = none.data()}}, {.lr = 0.5});
  CHECK(opt.step({none, g, none}).without_gradient == 0);
  CHECK(w[0] == doctest::Approx(0.5));
  opt.averaged(0, none);
  const std::string saved = opt.to_bytes();
  opt.load_bytes(saved);
  CHECK(opt.steps() == 1);
}

TEST_CASE("views that do not fit are refused") {
  CHECK(refusal({3, 4}, "row_blocks(2, 2)") ==
        "[optimizer] Expected blocks of >= 1 rows that add up to the 3 of 'w' with shape (3, 4). Received 2 + 2.");
  CHECK(refusal({3, 4}, "row_blocks(a=1)") ==
        "[optimizer] Expected blocks of >= 1 rows that add up to the 3 of 'w' with shape (3, 4). Received 1.");
  CHECK(refusal({3, 4}, "column_blocks(2, 1)") ==
        "[optimizer] Expected blocks of >= 1 columns that add up to the 4 of 'w' with shape (3, 4). Received 2 + 1.");
  CHECK(refusal({3, 4, 5}, "column_blocks(4)") ==
        "[optimizer] Expected rank 2 for view::column_blocks of 'w' with shape (3, 4, 5). Received it.");
  CHECK(refusal({4}, "stack") == "[optimizer] Expected rank >= 2 by rows for view::stack of 'w' with shape (4). Received it.");
  CHECK(refusal({3, 4}, "stack(stride=3)") ==
        "[optimizer] Expected a stride >= 4 of the stack of 'w' with shape (3, 4). Received 3.");
  CHECK(refusal({4, 4}, "row_blocks(a=2, a=2)") == "[optimizer] Expected parameters of distinct names. Received 'w.a' twice.");
  for (const char* view : {"row_blocks(4) | stack(stride=4)", "filters | stack(stride=4)"})
    CHECK(refusal({4, 4}, view) == "[optimizer] Expected a stack with a stride first in the view of 'w' with shape (4, 4). "
                                   "Received it behind another part.");
  std::vector<float> memory(16);
  CHECK_THROWS_WITH_AS(
      optimizer<float>("adamw", {{.name = "w", .shape = {4, 4}, .data = memory.data(),
                                  .view = {view::row_blocks{{{"\xff", 2}, {"b", 2}}}}}}, some),
      "[optimizer] Expected names in UTF-8. Received 'w.\\xff' with shape (2, 4).", error);
  CHECK_THROWS_WITH_AS(parse_view("rows(4)"),
                       "[parse] Expected a view: stack, stack(stride=n), filters, row_blocks(q=64, k=16, v=16), column_blocks(…). "
                       "Received 'rows' at column 1.", error);
  CHECK_THROWS_WITH_AS(parse_view("row_blocks"),
                       "[parse] Expected for row_blocks: the sizes of its blocks. Received none at column 1.", error);
  CHECK_THROWS_WITH_AS(parse_view("row_blocks(q=0)"),
                       "[parse] Expected for row_blocks: whole numbers >= 1. Received 'q=0' at column 12.", error);
  CHECK_THROWS_WITH_AS(parse_view("stack(2)"), "[parse] Expected for stack: stride. Received '2' at column 7.", error);
  CHECK_THROWS_WITH_AS(parse_view("filters(1)"), "[parse] Expected for filters: nothing. Received '1' at column 9.", error);

  std::vector<float> values(24);
  CHECK_THROWS_WITH_AS(
      optimizer<float>("muon", {{.name = "w", .shape = {2, 3, 4}, .role = role::hidden, .data = values.data()}}, some),
      "[orthogonalize_update] Expected a matrix, or filters of rank >= 4. Received 'w' with shape (2, 3, 4). Set a view: "
      ".view = {view::stack{}} for 2 matrices, .view = {view::filters{}} for one of 2 rows.",
      error);
}
