#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using training::subject;
using training::suite;

namespace {

// Where a matrix of 6 × 9 ends, and three of 2 × 9 that hold the same rows.
void moves_as_three(const subject& blocked, const subject& alone) {
  auto fused = oracle::dozen(), apart = oracle::dozen();
  fused.parameters = {{.name = "qkv", .shape = {6, 9}}};
  apart.parameters = {{.name = "q", .shape = {2, 9}},
                      {.name = "k", .shape = {2, 9}, .first = 18},
                      {.name = "v", .shape = {2, 9}, .first = 36}};
  const auto one = training::train(blocked.in_float, fused), three = training::train(alone.in_float, apart);
  std::vector<float> joined;
  for (const auto& y : three.y) joined.insert(joined.end(), y.begin(), y.end());
  CHECK(training::same_bits<float>(one.y[0], joined));
}

}  // namespace

TEST_CASE("in_row_blocks: three blocks move as three matrices") {
  moves_as_three(nesterov_ema{} | in_row_blocks(3, orthogonalize_update{.scale = match_rms{0.2}}),
                 nesterov_ema{} | orthogonalize_update{.scale = match_rms{0.2}});
  moves_as_three(in_row_blocks(3, equalize_rows{}) | ema{}, equalize_rows{} | ema{});
}

TEST_CASE("in_row_blocks of one") {
  suite(ema{.beta = 0.8} | in_row_blocks(1, equalize_rows{}));
}

TEST_CASE("in_row_blocks refuses what it cannot cut") {
  std::vector<float> values(12);
  const auto refusal = [&](std::vector<std::size_t> shape, storage_order order) -> std::string {
    try {
      const parameter<float> w{.name = "w", .shape = shape, .data = values.data(), .order = order};
      optimizer(chain(in_row_blocks(3, orthogonalize_update{})), std::vector{w}, {});
      return "";
    } catch (const error& e) {
      return e.what();
    }
  };
  CHECK(refusal({3, 4}, storage_order::row_major) == "");
  CHECK(refusal({4, 3}, storage_order::row_major) ==
        "[in_row_blocks] Expected rows in 3 equal blocks. Received 'w' with shape (4, 3).");
  CHECK(refusal({3, 4}, storage_order::column_major) == "");
  CHECK(refusal({12}, storage_order::row_major).starts_with("[orthogonalize_update] Expected rank >= 2."));
}

TEST_CASE("in_row_blocks: a column-major matrix moves as its row-major twin") {
  const auto train = [](const auto& chain, std::vector<double> values, storage_order order, const std::vector<double>& g) {
    const parameter<double> w{.name = "w", .shape = {4, 3}, .data = values.data(), .order = order};
    auto opt = optimizer(chain, std::vector{w}, {.lr = 0.1});
    for (int t = 0; t < 3; ++t) opt.step({g});
    return values;
  };
  const auto across = [](const std::vector<double>& a) { return oracle::newton_schulz::transposed(a, 4, 3); };
  const std::vector<double> start{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12}, g{1, -2, 3, 0.5, 2, -1, 4, 1, 1, -3, 2, 2};
  const auto check = [&](const auto& c) {
    const auto by_rows = across(train(c, start, storage_order::row_major, g));
    const auto by_columns = train(c, across(start), storage_order::column_major, across(g));
    for (std::size_t i = 0; i < 12; ++i) CHECK(by_columns[i] == doctest::Approx(by_rows[i]));
    CHECK(by_rows != across(start));
  };
  check(in_row_blocks(2, orthogonalize_update{}));
  check(in_row_blocks(4, equalize_rows{}) | ema{});
  check(in_row_blocks(2, equalize_rows{}));
}

TEST_CASE("in_row_blocks: noise is noise everywhere") {
  const auto after = [](const auto& chain) {
    std::vector<double> theta(12, 0.0);
    auto opt = optimizer(chain, std::vector{as_parameter("w", theta, {4, 3})}, {.lr = 1});
    opt.step({std::vector<double>(12, 0.0)});
    return theta;
  };
  CHECK(after(in_row_blocks(4, add_noise{})) == after(chain(add_noise{})));
  CHECK(after(in_row_blocks(4, parallel(ensemble{}, add_noise{}))) == after(chain(add_noise{})));
}
