// The race's loop: what a contender's transforms may ask of a step, it gives them.
#include <doctest/doctest.h>

#include <cmath>
#include <string_view>

#include <thalweg/text.hpp>

#include "../../examples/race/train.hpp"

namespace {

// Forty images of nine pixels, black above or below, told apart by their labels.
race::data_set halves() {
  race::data_set data{"halves", {9, {}, {}}, {}, {}, 0.5f, 0.5f};
  for (std::uint8_t i = 0; i < 40; ++i) {
    for (std::uint8_t pixel = 0; pixel < 9; ++pixel) data.training.pixels.push_back((pixel < 5) == (i % 2 == 0));
    data.training.labels.push_back(i % 2);
  }
  data.validation = data.training;
  return data;
}

}  // namespace

TEST_CASE("contenders that read the loss train") {
  const auto data = halves();
  const race::course course{data, data.validation, {4}, 100, 8};
  for (const std::string_view chain : {"reduce_on_plateau | adam", "scale_by_polyak", "when_finite | adam"}) {
    CAPTURE(chain);
    const auto run = race::train(thalweg::parse(chain), {.lr = 0.05}, course, 1, [](const race::point&) {});
    CHECK(run.curve.size() == race::stops.size());
    CHECK(run.curve.back().training.loss < 0.5 * run.curve.front().training.loss);
  }
}
