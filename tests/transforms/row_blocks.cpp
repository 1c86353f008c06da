#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>

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
  CHECK(refusal({3, 4}, storage_order::column_major) ==
        "[in_row_blocks] Expected a row-major matrix, whose rows lie together. Received 'w' column-major.");
  CHECK(refusal({12}, storage_order::row_major).starts_with("[orthogonalize_update] Expected rank >= 2."));
}
