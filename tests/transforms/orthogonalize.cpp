// orthogonalize_update by itself: exact beside three nested loops, and as good as its coefficients' sources claim.
#include <array>
#include <cmath>

#include <Eigen/Core>
#include <Eigen/SVD>
#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "../linear_algebra/bands.hpp"
#include "agreement.hpp"

using namespace thalweg;
using oracle::newton_schulz;
using oracle::vector;

namespace {

using shape = std::vector<std::size_t>;
using dense = Eigen::Matrix<double, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;

// What an optimizer makes of one gradient: θ = 0 - 1·update.
template <class T>
vector orthogonalized(const orthogonalize_update& o, const shape& shape, const vector& gradient,
                      storage_order order = storage_order::row_major) {
  std::vector<T> theta(gradient.size()), g(gradient.begin(), gradient.end());
  const std::vector<parameter<T>> w{{.name = "w", .shape = shape, .data = theta.data(), .order = order}};
  auto opt = optimizer(o, w, {.lr = 1});
  opt.step({g});
  vector update(theta.begin(), theta.end());
  for (double& x : update) x = -x;
  return update;
}

vector singular_values(const vector& m, std::size_t rows, std::size_t cols) {
  const Eigen::Map<const dense> view(m.data(), static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols));
  const Eigen::JacobiSVD<dense> svd(view);
  return {svd.singularValues().begin(), svd.singularValues().end()};
}

double apart(const vector& a, const vector& b) {
  return training::difference(oracle::history{a}, oracle::history{b});
}

newton_schulz slow(const orthogonalize_update& o, std::size_t rows, std::size_t cols) {
  newton_schulz iteration{.rows = rows, .cols = cols, .steps = {}, .scale = factor(o.scale, rows, cols),
                          .epsilon = o.epsilon, .rescale = o.coefficients.rescale_columns};
  for (long i = 0; i < o.steps; ++i) {
    const auto& q = o.coefficients.step(static_cast<std::size_t>(i));
    iteration.steps.push_back({q.a, q.b, q.c});
  }
  return iteration;
}

const coefficient_set sets[] = {jordan, polar_express, heavyball, cans, turbo_muon};

}  // namespace

TEST_CASE("orthogonalize_update computes what three nested loops compute") {
  const std::pair<shape, std::pair<std::size_t, std::size_t>> shapes[] = {
      {{6, 17}, {6, 17}},       // wide
      {{17, 6}, {17, 6}},       // tall
      {{8, 8}, {8, 8}},         // square
      {{1, 19}, {1, 19}},       // a row
      {{19, 1}, {19, 1}},       // a column
      {{1, 1}, {1, 1}},         //
      {{37, 35}, {37, 35}},     // beyond a block of the transposition
      {{4, 3, 3, 2}, {4, 18}},  // a filter is (first, rest)
      {{20, 1, 2, 3}, {20, 6}}};
  const scale_rule rules[] = {spectral{}, match_rms{0.3}, none{}};
  for (const auto& set : sets)
    for (const auto& [shape, matrix] : shapes)
      for (const auto& rule : rules) {
        const auto rows = matrix.first, cols = matrix.second;
        CAPTURE(set.name);
        CAPTURE(rows);
        CAPTURE(cols);
        const orthogonalize_update o{.scale = rule, .coefficients = set};
        const vector g = test::gaussian(rows * cols, 7);
        const vector expected = slow(o, rows, cols)(g);
        CHECK(apart(orthogonalized<double>(o, shape, g), expected) < 1e-11);
        // CANS is steep where a singular value is all of the norm: it multiplies rounding by thousands.
        CHECK(apart(orthogonalized<float>(o, shape, g), expected) < (set.name == "cans" ? 1e-2 : 1e-3));
      }
}

TEST_CASE("orthogonalize_update takes as many steps as it is told") {
  const vector g = test::gaussian(5 * 9, 3);
  for (const auto& set : sets)
    for (const long steps : {1, 2, 4, 6, 9}) {
      const orthogonalize_update o{.coefficients = set, .steps = steps};
      CHECK(apart(orthogonalized<double>(o, {5, 9}, g), slow(o, 5, 9)(g)) < 1e-10);
    }
}

TEST_CASE("orthogonalize_update's steps are polynomials of the singular values") {
  constexpr Eigen::Index rows = 7, cols = 12;
  const vector g = test::gaussian(rows * cols, 5);
  const Eigen::Map<const dense> u(g.data(), rows, cols);
  const Eigen::JacobiSVD<dense> svd(u, Eigen::ComputeThinU | Eigen::ComputeThinV);
  for (const auto& set : {jordan, polar_express, heavyball, cans}) {
    Eigen::VectorXd s = svd.singularValues() / (u.norm() + 1e-7);
    for (std::size_t i = 0; i < 5; ++i) {
      const auto& q = set.step(i);
      for (double& x : s) x = q.a * x + q.b * x * x * x + q.c * x * x * x * x * x;
    }
    const dense expected = svd.matrixU() * s.asDiagonal() * svd.matrixV().transpose();
    const vector received = orthogonalized<double>({.scale = none{}, .coefficients = set}, {rows, cols}, g);
    CHECK(apart(received, vector(expected.data(), expected.data() + rows * cols)) < 1e-11);
  }
}

TEST_CASE("orthogonalize_update brings singular values near one") {
  for (const auto& b : test::bands)
    for (const auto& size : test::shapes_of_bands) {
      const std::size_t rows = size.first, cols = size.second;
      CAPTURE(b.set.name);
      CAPTURE(rows);
      CAPTURE(cols);
      for (const auto precision : {precision::float32, precision::bfloat16}) {
        CAPTURE(to_text(precision));
        double lowest = 9, highest = 0;
        for (unsigned seed = 0; seed < 20; ++seed) {
          const orthogonalize_update o{.scale = none{}, .coefficients = b.set, .precision = precision};
          const vector received = orthogonalized<float>(o, {rows, cols}, test::gaussian(rows * cols, seed));
          const vector s = singular_values(received, rows, cols);
          lowest = std::min(lowest, s.back());
          highest = std::max(highest, s.front());
        }
        CHECK(highest < b.highest(rows, cols, precision));
        CHECK(lowest > b.lowest(rows, cols, precision));
      }
    }
}

TEST_CASE("orthogonalize_update of a zero matrix is zero") {
  for (const auto& set : sets) {
    CHECK(orthogonalized<float>({.coefficients = set}, {3, 5}, vector(15, 0.0)) == vector(15, 0.0));
    CHECK(orthogonalized<double>({.coefficients = set}, {5, 3}, vector(15, 0.0)) == vector(15, 0.0));
  }
}

TEST_CASE("orthogonalize_update of a matrix of rank one") {
  const vector a = test::gaussian(6, 1), b = test::gaussian(11, 2);
  vector g;
  for (const double x : a)
    for (const double y : b) g.push_back(x * y);
  const double norm = std::sqrt(std::inner_product(g.begin(), g.end(), g.begin(), 0.0));
  for (const auto& set : sets) {
    CAPTURE(set.name);
    const orthogonalize_update o{.scale = none{}, .coefficients = set};
    const vector received = orthogonalized<double>(o, {6, 11}, g);
    CHECK(apart(received, slow(o, 6, 11)(g)) < 1e-11);
    if (set.rescale_columns) continue;
    double one = norm / (norm + 1e-7);  // its only singular value
    for (std::size_t i = 0; i < 5; ++i) {
      const auto& q = set.step(i);
      one = q.a * one + q.b * std::pow(one, 3) + q.c * std::pow(one, 5);
    }
    CHECK(apart(received, oracle::operator*(one / norm, g)) < 1e-11);
  }
}

TEST_CASE("orthogonalize_update of a column-major matrix is the same matrix, with the same scale") {
  const std::pair<std::size_t, std::size_t> shapes[] = {{9, 4}, {4, 9}, {6, 6}, {1, 7}, {7, 1}};
  for (const auto& set : sets)
    for (const scale_rule& rule : {scale_rule(spectral{}), scale_rule(match_rms{})})
      for (const auto& size : shapes) {
        const auto rows = size.first, cols = size.second;
        CAPTURE(rows);
        CAPTURE(cols);
        const orthogonalize_update o{.scale = rule, .coefficients = set};
        const vector g = test::gaussian(rows * cols, 9);
        const vector by_rows = orthogonalized<double>(o, {rows, cols}, g);
        const vector by_columns = orthogonalized<double>(o, {rows, cols}, newton_schulz::transposed(g, rows, cols),
                                                         storage_order::column_major);
        CHECK(apart(by_rows, newton_schulz::transposed(by_columns, cols, rows)) < 1e-13);
      }
}

TEST_CASE("orthogonalize_update does not care how large the gradient is") {
  const vector g = test::gaussian(5 * 8, 4);
  for (const auto& set : sets)
    for (const double size : {1e-3, 1e6, 1e15, 1e30, 1e36}) {
      CAPTURE(set.name);
      CAPTURE(size);
      const orthogonalize_update o{.coefficients = set};
      const vector large = oracle::operator*(size, g);
      CHECK(apart(orthogonalized<float>(o, {5, 8}, large), orthogonalized<float>(o, {5, 8}, g)) < 1e-3);
      CHECK(apart(orthogonalized<double>(o, {5, 8}, large), orthogonalized<double>(o, {5, 8}, g)) < 1e-3);
    }
}

TEST_CASE("orthogonalize_update of next to nothing is short: a·u/ε at every step") {
  const vector g = test::gaussian(5 * 8, 4, 1e-30);
  for (const auto& set : sets) {
    CAPTURE(set.name);
    double slope = 1e-30 / 1e-7;
    for (const auto& step : slow({.coefficients = set}, 5, 8).steps) slope *= step.a;
    const vector unit = test::gaussian(5 * 8, 4);
    for (const vector& received : {orthogonalized<float>({.scale = none{}, .coefficients = set}, {5, 8}, g),
                                   orthogonalized<double>({.scale = none{}, .coefficients = set}, {5, 8}, g)})
      CHECK(apart(oracle::operator*(1 / slope, received), unit) < 1e-5);
  }
}

TEST_CASE("orthogonalize_update hides neither NaN nor infinity") {
  for (const auto& set : sets)
    for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
      vector g = test::gaussian(4 * 6, 8);
      g[13] = bad;
      for (const double x : orthogonalized<float>({.coefficients = set}, {4, 6}, g)) CHECK(std::isnan(x));
      for (const double x : orthogonalized<double>({.coefficients = set}, {6, 4}, g)) CHECK(std::isnan(x));
    }
}

TEST_CASE("orthogonalize_update is for matrices") {
  const auto message = "[orthogonalize_update] Expected rank >= 2. Received 'w' with shape (7). "
                       "Route it elsewhere: route(when(hidden_matrix, ...), otherwise(...)).";
  CHECK_THROWS_WITH_AS(orthogonalized<float>({}, {7}, vector(7)), message, error);
  CHECK_THROWS_AS(orthogonalized<float>({.scale = match_rms{0}}, {7, 7}, vector(49)), error);
}

TEST_CASE("orthogonalize_update behind nesterov_ema") {
  for (const auto& set : sets) {
    CAPTURE(set.name);
    training::suite(nesterov_ema{.beta = 0.8} | orthogonalize_update{.scale = match_rms{0.3}, .coefficients = set},
                    training::takes::matrices);
  }
  auto s = oracle::dozen();
  s.parameters = {{.name = "wide", .shape = {5, 9}}, {.name = "filter", .shape = {14, 2, 2, 2}, .first = 45}};
  oracle::history expected;
  for (const auto& p : s.parameters)
    expected.push_back(oracle::descend(
        oracle::start(p), oracle::gradients(s, p),
        oracle::in_turn(oracle::nesterov_ema(0.95),
                        oracle::orthogonalized(slow({}, p.shape.front(), p.size() / p.shape.front()))),
        s.options.weight_decay, oracle::warmed_up(s.options)));
  oracle::agrees(nesterov_ema{} | orthogonalize_update{}, s, {expected, expected}, 1e-3, 1e-11);
}

TEST_CASE("tensorwise") {
  training::suite(ema{.beta = 0.8} | tensorwise("flip", []<class T>(tensor<T> u) noexcept {
                    for (T& x : u.values()) x = -x;
                    return u;
                  }) | scale_by_adam{});
}
