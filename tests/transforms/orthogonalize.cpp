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
  const scale_rule rules[] = {spectral{}, match_rms{0.3}, unit_rms_norm{}, none{}};
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

namespace {

// What the steps make of singular values from `lower` to 1: the least and the greatest of many.
std::pair<double, double> band_of(const coefficient_set& set, long steps, double lower) {
  std::pair<double, double> band{9, 0};
  for (int k = 0; k <= 20000; ++k) {
    double x = std::pow(lower, k / 20000.0);
    for (long i = 0; i < steps; ++i) {
      const auto& [a, b, c] = set.step(static_cast<std::size_t>(i));
      x = a * x + b * std::pow(x, 3) + c * std::pow(x, 5);
    }
    band = {std::min(band.first, x), std::max(band.second, x)};
  }
  return band;
}

}  // namespace

TEST_CASE("computed steps are the best polynomials on their intervals") {
  // Chebyshev: a polynomial of these is closest to 1 if its distance reaches its greatest with alternating signs once more
  // often than it has coefficients.
  for (const auto d : {degree::three, degree::five})
    for (const double lower : {1e-15, 1e-4, 1e-3, 0.3}) {
      const coefficient_set set = cans_for{.lower = lower, .degree = d};
      double low = lower, high = 1;
      for (std::size_t i = 0; i < 12; ++i) {
        const auto& [a, b, c] = set.step(i);
        const auto value = [&](double x) { return a * x + b * std::pow(x, 3) + c * std::pow(x, 5); };
        double greatest = 0;
        std::vector<double> extremes;  // of the stretches of one sign
        for (int k = 0; k <= 4000; ++k) {
          const double here = value(low * std::pow(high / low, k / 4000.0)) - 1;
          greatest = std::max(greatest, std::abs(here));
          if (extremes.empty() || (here > 0) != (extremes.back() > 0)) extremes.push_back(here);
          else if (std::abs(here) > std::abs(extremes.back())) extremes.back() = here;
        }
        if (greatest < 1e-6) break;  // rounding decides
        CAPTURE(lower);
        CAPTURE(i);
        REQUIRE(extremes.size() == (d == degree::five ? 4 : 3));
        for (const double e : extremes) CHECK(std::abs(e) == doctest::Approx(greatest).epsilon(1e-3));
        low = value(low), high = 2 - low;
      }
    }
}

TEST_CASE("computed steps: the published ones, and the bands that the documents state") {
  const coefficient_set ours = polar_express_for{}, chebyshev = cans_for{};
  for (std::size_t i = 0; i < 4; ++i) {
    CHECK(ours.step(i).a == doctest::Approx(polar_express.step(i).a).epsilon(1e-12));
    CHECK(ours.step(i).b == doctest::Approx(polar_express.step(i).b).epsilon(1e-12));
    CHECK(ours.step(i).c == doctest::Approx(polar_express.step(i).c).epsilon(1e-12));
  }
  CHECK(ours.step(4).c * std::pow(1.01, 5) == doctest::Approx(polar_express.step(4).c).epsilon(1e-12));
  CHECK(ours.step(31).a == 1.875);
  for (std::size_t i = 0; i < 5; ++i) {
    CHECK(std::abs(chebyshev.step(i).a - cans.step(i).a) <= 6e-5);  // four decimals
    CHECK(std::abs(chebyshev.step(i).b - cans.step(i).b) <= 6e-5);
    CHECK(std::abs(chebyshev.step(i).c - cans.step(i).c) <= 6e-5);
  }
  struct row {
    coefficient_set set;
    long steps;
    double lower, least, greatest;
  };
  const row rows[] = {{jordan, 5, 1e-3, 0.4705, 1.2024},
                      {deepseek_v4, 10, 1e-3, 1.0000, 1.0006},
                      {cans_for{}, 5, 1e-3, 0.8866, 1.1134},
                      {cans_for{}, 8, 1e-3, 1.0000, 1.0000},
                      {cans_for{.degree = degree::three}, 5, 1e-3, 0.2044, 1.7956},
                      {cans_for{.lower = 1e-2, .degree = degree::three}, 5, 1e-2, 0.8437, 1.1563},
                      {cans_for{.degree = degree::three}, 8, 1e-3, 0.9463, 1.0537},
                      {polar_express, 5, 1e-3, 0.8524, 1.1236}};
  for (const row& r : rows) {
    CAPTURE(to_text(r.set));
    const auto [least, greatest] = band_of(r.set, r.steps, r.lower);
    CHECK(least == doctest::Approx(r.least).epsilon(1e-4));
    CHECK(greatest == doctest::Approx(r.greatest).epsilon(1e-4));
  }
  const auto [least, greatest] = band_of(polar_express_for{.lower = 1e-4}, 8, 1e-4);
  CHECK(least > 0.999);
  CHECK(greatest < 1.001);
}

TEST_CASE("orthogonalize_update takes sets of any length and of mixed kinds") {
  const orthogonalize_update all[] = {
      {.coefficients = deepseek_v4, .steps = 10},
      {.coefficients = deepseek_v4, .steps = 12},
      {.coefficients = polar_express_for{.lower = 1e-4}, .steps = 8},
      {.coefficients = cans_for{.lower = 1e-2, .degree = degree::three}},
      {.coefficients = polynomials{"3.4445 -4.7750 2.0315; 3.4445 -4.7750 2.0315 ; 1.5 -0.5;2 -1.5 0.5"}, .steps = 4}};
  for (const orthogonalize_update& o : all)
    for (const auto& [rows, cols] : {std::pair<std::size_t, std::size_t>{6, 17}, {17, 6}, {8, 8}, {5, 40}}) {
      CAPTURE(to_text(o.coefficients));
      const vector g = test::gaussian(rows * cols, 7), expected = slow(o, rows, cols)(g);
      CHECK(apart(orthogonalized<double>(o, {rows, cols}, g), expected) < 1e-10);
      CHECK(apart(orthogonalized<float>(o, {rows, cols}, g), expected) < 1e-3);
    }
  CHECK_THROWS_WITH_AS(orthogonalized<float>({.coefficients = deepseek_v4}, {7, 7}, vector(49)),
                       "[orthogonalize_update] Expected steps >= 10 for deepseek_v4. Received 5.", error);
  const auto makes = [](const char* steps) { return coefficient_set(polynomials{steps}).count; };
  CHECK(makes("1 2") == 1);
  for (const char* bad : {"", " ", "1", "1 2 3 4", "1 2; ", "1 2 x", "1 2 inf", "1 2 3e", "1 2;;1 2"}) {
    CAPTURE(bad);
    CHECK_THROWS_AS(makes(bad), error);
  }
  CHECK_THROWS_WITH_AS(makes("1"), "[polynomials] Expected 1 to 32 steps of two or three finite numbers, as in \"3.4445 -4.775 "
                                   "2.0315; 1.5 -0.5\". Received \"1\".", error);
  CHECK_THROWS_WITH_AS(coefficient_set(polar_express_for{.lower = 1}),
                       "[polar_express_for] Expected lower in [1e-15, 1). Received 1.", error);
  CHECK_THROWS_AS(coefficient_set(cans_for{.lower = 0}), error);
}

TEST_CASE("orthogonalize_update without an epsilon does not care how small the gradient is") {
  const vector g = test::gaussian(5 * 8, 4);
  for (const auto& set : sets)
    for (const double size : {1e-10, 1e-30, 1e30}) {
      CAPTURE(set.name);
      CAPTURE(size);
      const orthogonalize_update o{.coefficients = set, .epsilon = 0};
      const vector scaled = oracle::operator*(size, g);
      CHECK(apart(orthogonalized<float>(o, {5, 8}, scaled), orthogonalized<float>(o, {5, 8}, g)) < 1e-3);
      CHECK(apart(orthogonalized<double>(o, {5, 8}, scaled), orthogonalized<double>(o, {5, 8}, g)) < 1e-10);
      CHECK(orthogonalized<float>(o, {5, 8}, vector(40, 0.0)) == vector(40, 0.0));
      vector half = g;  // rows of zeros
      std::fill_n(half.begin(), 16, 0.0);
      if (!set.rescale_columns)  // the oracle would divide nothing by nothing
        CHECK(apart(orthogonalized<double>(o, {5, 8}, half), slow({.coefficients = set}, 5, 8)(half)) < 1e-6);
      for (const double x : orthogonalized<float>(o, {5, 8}, half)) CHECK(std::isfinite(x));
    }
}

TEST_CASE("orthogonalize_update after the Schatten norm, and times the nuclear norm") {
  for (const auto& [rows, cols] : {std::pair<std::size_t, std::size_t>{7, 12}, {12, 7}, {9, 9}, {1, 5}}) {
    const vector g = test::gaussian(rows * cols, 5);
    const Eigen::Map<const dense> u(g.data(), static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(cols));
    const Eigen::JacobiSVD<dense> svd(u, Eigen::ComputeThinU | Eigen::ComputeThinV);
    for (const auto& set : {jordan, polar_express, heavyball}) {
      Eigen::VectorXd s = svd.singularValues() / std::pow(svd.singularValues().array().pow(4).sum(), 0.25);
      for (std::size_t i = 0; i < 3; ++i) {
        const auto& q = set.step(i);
        for (double& x : s) x = q.a * x + q.b * x * x * x + q.c * x * x * x * x * x;
      }
      const dense expected = svd.matrixU() * s.asDiagonal() * svd.matrixV().transpose();
      const orthogonalize_update o{.scale = none{}, .coefficients = set, .steps = 3, .epsilon = 0, .norm = norm::schatten_4};
      const vector wanted(expected.data(), expected.data() + g.size());
      CHECK(apart(orthogonalized<double>(o, {rows, cols}, g), wanted) < 1e-11);
      CHECK(apart(orthogonalized<float>(o, {rows, cols}, g), wanted) < 1e-3);
      CHECK(orthogonalized<float>(o, {rows, cols}, vector(g.size(), 0.0)) == vector(g.size(), 0.0));

      const orthogonalize_update nuclear{.scale = nuclear_norm{}, .coefficients = set};
      const vector x = slow(nuclear, rows, cols)(g);
      const double product = std::inner_product(g.begin(), g.end(), x.begin(), 0.0);
      CHECK(apart(orthogonalized<double>(nuclear, {rows, cols}, g), oracle::operator*(product, x)) < 1e-10);
      CHECK(apart(orthogonalized<float>(nuclear, {rows, cols}, g), oracle::operator*(product, x)) < 1e-2);
    }
  }
  // Seven steps more, and the nuclear norm is the sum of the singular values.
  const vector g = test::gaussian(6 * 9, 5);
  const vector s = singular_values(g, 6, 9);
  const vector full = orthogonalized<double>({.scale = nuclear_norm{}, .coefficients = deepseek_v4, .steps = 12}, {6, 9}, g);
  CHECK(singular_values(full, 6, 9).front() == doctest::Approx(std::accumulate(s.begin(), s.end(), 0.0)).epsilon(1e-3));
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
  training::subject on_host = nesterov_ema{.beta = 0.8} | orthogonalize_update{.scale = nuclear_norm{}, .coefficients = polar_express,
                                                                                .norm = norm::schatten_4};
  on_host.on_device.reset();  // a device refuses both
  training::suite(on_host, training::takes::matrices);
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
