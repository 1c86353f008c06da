// Each measure in a valley in which it has a closed form.
#include <doctest/doctest.h>

#include <cmath>
#include <initializer_list>

#include "../../examples/valley/oscillation.hpp"
#include "../../examples/valley/progress.hpp"
#include "../../examples/valley/segment.hpp"
#include "../../examples/valley/stability.hpp"
#include "river.hpp"

using namespace valley;
using doctest::Approx;

namespace {

// n iterates of gradient descent, one a column, from the place with the coordinates (1, 1, 1, 0). With lr = 1/4 the coordinate
// along v₁ changes its sign at each step (1 - 8/4 = -1), that along v₂ is 0 after one step, that along v₃ shrinks by 7/8, and
// the river carries on by 1/4.
struct descended {
  matrix iterates, gradients;
};
descended descend(double lr, Eigen::Index n) {
  descended run{matrix(4, n), matrix(4, n)};
  vector place = river::at(1, 1, 1, 0);
  for (Eigen::Index t = 0; t < n; ++t) {
    run.iterates.col(t) = place;
    run.gradients.col(t) = river::gradient(place);
    place -= lr * run.gradients.col(t);
  }
  return run;
}

}  // namespace

TEST_CASE("the share in the dominant subspace") {
  CHECK(dominant_share(river::walls, river::at(3, 0, 0, 0)).value() == Approx(1));
  CHECK(dominant_share(river::walls, river::at(0, 0, 1, -7)).value() == Approx(0));
  CHECK(dominant_share(river::walls, river::at(1, -2, 2, 4)).value() == Approx(0.2));  // (1 + 4) / (1 + 4 + 4 + 16)
  CHECK_FALSE(dominant_share(river::walls, vector::Zero(4)));
  // The gradient at (1, 1, 1, 0) has the coordinates 8, 4, ½ and -1.
  CHECK(dominant_share(river::walls, river::gradient(river::at(1, 1, 1, 0))).value() == Approx(80 / 81.25));
  CHECK((in_dominant(river::walls, river::at(1, 2, 3, 4)) - river::at(1, 2, 0, 0)).norm() < 1e-15);
  CHECK((in_bulk(river::walls, river::at(1, 2, 3, 4)) - river::at(0, 0, 3, 4)).norm() < 1e-15);
}

TEST_CASE("a straight line is no oscillation") {
  const vector line{{1, 3, 5, 7, 9}};
  CHECK(amplitude(line) == Approx(0));
  CHECK_FALSE(lag_one_autocorrelation(line));
  CHECK_FALSE(lag_one_autocorrelation(vector::Constant(5, 0.1)));
  CHECK_FALSE(lag_one_autocorrelation(vector::Zero(5)));
  CHECK(sign_changes(vector::Zero(5)).value() == 0);
  CHECK_FALSE(sign_changes(vector{{1, 2}}));
  CHECK_FALSE(lag_one_autocorrelation(vector{{1, 2}}));
  CHECK(amplitude(vector{{1, 2}}) == Approx(0));
  CHECK(amplitude(vector{{7}}) == 0);
}

TEST_CASE("from wall to wall, with a drift") {
  // The deviations from the line are 0.8, -1.2, 0.8, -1.2, 0.8, whatever the drift.
  for (const double drift : {0.0, 0.5, -30.0}) {
    CAPTURE(drift);
    const vector series = vector{{1, -1, 1, -1, 1}} + vector{{0, drift, 2 * drift, 3 * drift, 4 * drift}};
    CHECK(sign_changes(series).value() == 1);
    CHECK(lag_one_autocorrelation(series).value() == Approx(-3.84 / 4.8));
    CHECK(amplitude(series) == Approx(std::sqrt(4.8 / 5)));
  }
}

TEST_CASE("a slow wave") {
  // The mean of 0, 1, 1, 0, -1, -1, 0, 1 … is 0 over whole periods; a symmetric series has no slope.
  const vector series{{-1, 0, 1, 1, 0, -1, -1, 0, 1, 1, 0, -1}};
  CHECK(sign_changes(series).value() == 0);  // each change passes through 0
  CHECK(lag_one_autocorrelation(series).value() == Approx(0.375));  // (1 + 1 + 1) / 8
  CHECK(amplitude(series) == Approx(std::sqrt(8.0 / 12)));
}

TEST_CASE("at the edge of stability gradient descent crosses the valley at each step") {
  const auto run = descend(0.25, 9);
  const matrix along = river::walls.directions.transpose() * run.iterates;
  CHECK(sign_changes(vector(along.row(0))).value() == 1);
  CHECK(amplitude(vector(along.row(0))) == Approx(std::sqrt(1 - 1.0 / 81)));  // about the mean, 1/9
  // The hill: ½·8·(1 - 1/81) where v₁ alone moves.
  CHECK(hill_loss(river::walls, vector{{std::sqrt(1 - 1.0 / 81), 0}}) == Approx(4 - 4.0 / 81));
  CHECK(hill_loss(river::walls, vector{{0.5, 2}}) == Approx(0.5 * (8 * 0.25 + 4 * 4)));
}

TEST_CASE("the effective step of gradient descent is its learning rate") {
  const auto run = descend(0.125, 6);
  const matrix updates = run.iterates.rightCols(5) - run.iterates.leftCols(5);
  for (Eigen::Index i = 0; i < 2; ++i) {
    const vector u = updates.transpose() * river::walls.directions.col(i);
    const vector g = run.gradients.leftCols(5).transpose() * river::walls.directions.col(i);
    CHECK(effective_step(u, g).value() == Approx(0.125));
  }
  CHECK(effective_step(vector{{1, -3}}, vector{{1, 2}}).value() == Approx(1));  // -(1·1 - 3·2) / (1 + 4)
  CHECK_FALSE(effective_step(vector{{1, 2}}, vector{{0, 0}}));
}

TEST_CASE("progress along the bulk") {
  const vector from = river::at(1, 1, 1, 0), to = river::at(-1, 0, 1, 4);
  CHECK(bulk_distance(river::walls, from, to) == Approx(4));
  // The losses are 4 + 2 + ¼ and 4 + 0 + ¼ - 4: the loss falls by 6 on a way of 4.
  CHECK(river::loss(from) == Approx(6.25));
  CHECK(river::loss(to) == Approx(0.25));
  CHECK(bulk_distance_per_loss(river::walls, from, to, 6.25, 0.25).value() == Approx(4.0 / 6));
  CHECK_FALSE(bulk_distance_per_loss(river::walls, from, to, 0.25, 6.25));
  CHECK_FALSE(bulk_distance_per_loss(river::walls, from, to, 1, 1));
  CHECK_FALSE(bulk_distance_per_loss(river::walls, from, to, std::nan(""), 1));
}

TEST_CASE("how straight a run goes") {
  const auto updates = [](std::initializer_list<vector> all) {
    sequence s = empty_sequence(river::walls);
    for (const vector& u : all) append(s, river::walls, u);
    return s;
  };
  const vector to = river::at(1, 0, 0, 1), back = river::at(-1, 0, 0, 1);
  const auto zigzag = straightness_of(updates({to, back, to, back}));
  CHECK(zigzag.dominant.value() == Approx(0));  // from wall to wall, and back
  CHECK(zigzag.bulk.value() == Approx(1));      // down the river
  CHECK(dominant_share(updates({to, back, to, back})).value() == Approx(0.5));
  const auto dominant_alone = updates({river::at(0, 3, 0, 0), river::at(0, 1, 0, 0), vector::Zero(4), vector::Zero(4)});
  CHECK(straightness_of(dominant_alone).dominant.value() == Approx(0.4));  // 4² / (4 (9 + 1))
  CHECK_FALSE(straightness_of(dominant_alone).bulk);
  CHECK(dominant_share(updates({river::at(0, 1, 0, 2), river::at(3, 0, 1, 1)})).value() == Approx(10.0 / 16));
  CHECK_FALSE(straightness_of(updates({vector::Zero(4)})).dominant);
  CHECK_FALSE(dominant_share(updates({vector::Zero(4)})));
  CHECK_FALSE(dominant_share(updates({})));
}

TEST_CASE("the segment from z to x") {
  const vector z = river::at(1, 0, 0, 4), x = river::at(0, 0, 0, 2);
  const positions p{z, 0.25 * z + 0.75 * x, x};
  CHECK(place_of_y(p).value() == Approx(0.75));
  CHECK(place_of_y({z, z, x}).value() == Approx(0));
  CHECK(place_of_y({z, x, x}).value() == Approx(1));
  CHECK_FALSE(place_of_y({z, z, z}));
  // 4 (1 - s)² - (4 - 2s): the wall is behind, and so is a part of the river.
  const auto points = losses_along(p, river::loss, 5);
  REQUIRE(points.size() == 5);
  for (const auto& [place, loss] : points) CHECK(loss == Approx(4 * (1 - place) * (1 - place) - 4 + 2 * place));
  CHECK(points[1].place == 0.25);
  CHECK(points.front().loss == Approx(0));
  CHECK(points.back().loss == Approx(-2));
}
