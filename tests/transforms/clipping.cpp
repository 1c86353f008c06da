#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::in_turn;
using training::subject;
using training::suite;

namespace {

// a and c are clipped in a branch of their own, b in another.
auto by_branch(double of_a, double of_b) {
  return route(when([](const parameter_info& p) { return p.name != "b"; },
                    clip_by_global_norm{.max_norm = of_a} | ema{.beta = 0.8}),
               otherwise(clip_by_global_norm{.max_norm = of_b} | ema{.beta = 0.8}));
}

training::setting three_parameters() {
  auto s = oracle::dozen();
  s.parameters = {{.name = "a", .shape = {3}},
                  {.name = "b", .shape = {4, 5}, .first = 3},
                  {.name = "c", .shape = {17}, .first = 23}};
  return s;
}

oracle::vector part(const oracle::vector& v, std::ptrdiff_t from, std::ptrdiff_t to) {
  return {v.begin() + from, v.begin() + to};
}

// What becomes of the numbers of `all` when they are clipped together.
oracle::vector clipped_together(const training::parameter& all, double longest) {
  const auto s = three_parameters();
  return oracle::descend(oracle::start(all), oracle::gradients(s, all),
                         in_turn(oracle::clipped(longest), oracle::ema(0.8)), s.options.weight_decay,
                         oracle::warmed_up(s.options));
}

}  // namespace

TEST_CASE("clip_by_global_norm") {
  const subject s = clip_by_global_norm{.max_norm = 0.5} | ema{.beta = 0.8};
  suite(s);
}

TEST_CASE("clip_by_global_norm measures all parameters together") {
  for (const double longest : {0.5, 3.7, 1e9}) {  // always, now and then (the norms lie around 3.6), never
    const auto y = clipped_together({.name = "all", .shape = {40}}, longest);
    const oracle::history parts{part(y, 0, 3), part(y, 3, 23), part(y, 23, 40)};
    oracle::agrees(clip_by_global_norm{.max_norm = longest} | ema{.beta = 0.8}, three_parameters(), {parts, parts});
  }
}

TEST_CASE("clip_by_global_norm in a route's branch measures that branch") {
  auto s = three_parameters();
  s.parameters.pop_back();
  const oracle::history expected{clipped_together({.name = "a", .shape = {3}}, 0.5),
                                 clipped_together({.name = "b", .shape = {20}, .first = 3}, 0.7)};
  oracle::agrees(by_branch(0.5, 0.7), s, {expected, expected});
}

TEST_CASE("clip_by_global_norm behind another transform") {
  const subject s = ema{.beta = 0.8} | clip_by_global_norm{.max_norm = 0.3} | scale{.by = 2};
  suite(s);
  oracle::descends(s, in_turn(oracle::ema(0.8), in_turn(oracle::clipped(0.3), oracle::times(2))));
}

TEST_CASE("clip_by_global_norm hides neither NaN nor infinity") {
  std::vector<float> a{1, 2, 3}, b{4, 5};
  auto opt = optimizer(clip_by_global_norm{} | apply_update{},
                       std::vector<parameter<float>>{{.name = "a", .shape = {3}, .data = a.data()},
                                                     {.name = "b", .shape = {2}, .data = b.data()}},
                       {.lr = 1});
  constexpr float infinity = std::numeric_limits<float>::infinity(), nan = std::numeric_limits<float>::quiet_NaN();
  opt.step(std::vector<std::vector<float>>{{1, infinity, 1}, {1, 1}});
  CHECK(a[0] == 1);
  CHECK(std::isnan(a[1]));
  CHECK(a[2] == 3);
  CHECK(b == std::vector<float>{4, 5});
  opt.step(std::vector<std::vector<float>>{{1, 1, 1}, {1, nan}});
  for (const float x : {a[0], a[2], b[0], b[1]}) CHECK(std::isnan(x));
}
