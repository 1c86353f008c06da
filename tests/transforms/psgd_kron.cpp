#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <random>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"
#include "matrices.hpp"

using namespace thalweg;
using oracle::operator+, oracle::operator-, oracle::operator*;
using oracle::times, oracle::transposed, oracle::vector;
using training::suite;

namespace {

// By Gauss and Jordan; an upper triangle needs no pivots.
vector inverse(vector a, std::size_t n) {
  vector b(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) b[i * n + i] = 1;
  for (std::size_t k = 0; k < n; ++k) {
    const double pivot = a[k * n + k];
    for (std::size_t j = 0; j < n; ++j) a[k * n + j] /= pivot, b[k * n + j] /= pivot;
    for (std::size_t i = 0; i < n; ++i) {
      const double by = a[i * n + k];
      if (i != k)
        for (std::size_t j = 0; j < n; ++j) a[i * n + j] -= by * a[k * n + j], b[i * n + j] -= by * b[k * n + j];
    }
  }
  return b;
}

// A lower bound of a symmetric matrix's spectral norm.
double norm_from_below(const vector& m, std::size_t n) {
  std::size_t longest = 0;
  const auto column = [&](std::size_t j) {
    vector c(n);
    for (std::size_t i = 0; i < n; ++i) c[i] = m[i * n + j];
    return c;
  };
  for (std::size_t j = 0; j < n; ++j)
    if (oracle::norm(column(j)) > oracle::norm(column(longest))) longest = j;
  const vector x = (1 / oracle::norm(column(longest))) * column(longest);
  return oracle::norm(times(m, n, n, x, 1));
}

// Every factor a whole matrix, of which a diagonal one keeps nothing else.
struct factor {
  std::size_t n;
  bool diagonal;
  vector q = identity();
  [[nodiscard]] vector identity() const {
    vector i(n * n, 0.0);
    for (std::size_t k = 0; k < n; ++k) i[k * n + k] = 1;
    return i;
  }
  void fit(const vector& of_a, const vector& of_b, double rate) {
    vector turn = of_a - of_b, sum = of_a + of_b;
    double largest = 0;
    for (std::size_t i = 0; i < n; ++i) largest = std::max(largest, sum[i * n + i]);
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j)
        if (diagonal ? i != j : i > j) turn[i * n + j] = 0;
    q = q - (rate / (diagonal ? largest : norm_from_below(sum, n))) * times(turn, n, n, q, n);
  }
};

oracle::update psgd(std::size_t m, std::size_t n, bool left_diagonal, bool right_diagonal, double rate, long seed,
                    std::size_t period) {
  return [=](const oracle::history& u) {
    factor left{m, left_diagonal}, right{n, right_diagonal};
    for (std::size_t t = 1; t <= u.size(); ++t) {
      if ((t - 1) % period != 0) continue;
      vector v(m * n);
      const white_noise xi(seed, static_cast<long>(t), "");
      for (std::size_t i = 0; i < m * n; ++i) v[i] = xi.normal(i);
      const vector a = times(times(left.q, m, m, u[t - 1], n), m, n, transposed(right.q, n, n), n);
      const vector b = times(times(transposed(inverse(left.q, m), m, m), m, m, v, n), m, n, inverse(right.q, n), n);
      left.fit(times(a, m, n, transposed(a, m, n), m), times(b, m, n, transposed(b, m, n), m), rate);
      right.fit(times(transposed(a, m, n), n, m, a, n), times(transposed(b, m, n), n, m, b, n), rate);
    }
    const vector p = times(transposed(left.q, m, m), m, m, left.q, m), r = times(transposed(right.q, n, n), n, n, right.q, n);
    return times(times(p, m, m, u.back(), n), m, n, r, n);
  };
}

void agrees(const scale_by_psgd_kron& o, std::vector<std::size_t> shape, const oracle::update& u) {
  auto s = oracle::dozen();
  s.parameters.front().shape = std::move(shape);
  const auto& p = s.parameters.front();
  const auto y = oracle::descend(oracle::start(p), oracle::gradients(s, p), u, s.options.weight_decay,
                                 oracle::warmed_up(s.options), oracle::decay::decoupled);
  oracle::agrees(o, s, {{y}, {y}}, 1e-3, 1e-11);
}

template <class Transform>
void moves_as_its_twin(const Transform& t) {
  vector by_rows{1, 2, 3, 4, 5, 6}, by_columns = transposed(by_rows, 2, 3);
  const auto bind = [&](vector& values, storage_order order) {
    const parameter<double> w{.name = "w", .shape = {2, 3}, .data = values.data(), .order = order};
    return optimizer(t, std::vector{w}, {.lr = 0.1});
  };
  auto rows = bind(by_rows, storage_order::row_major);
  auto columns = bind(by_columns, storage_order::column_major);
  for (int t = 0; t < 5; ++t) {
    const vector g{1, -2, 3, 0.5 * t, 2, -1};
    rows.step({g});
    columns.step({transposed(g, 2, 3)});
  }
  const vector twin = transposed(by_columns, 3, 2);
  for (std::size_t i = 0; i < 6; ++i) CHECK(by_rows[i] == doctest::Approx(twin[i]));
}

}  // namespace

namespace {

// Q as a whole matrix of n × n, whose inverse is Gauss' and Jordan's: nothing is left of a low rank but the fit itself.
oracle::update lra(std::size_t n, std::size_t rank, double rate, double beta, double damping, long seed) {
  return [=](const oracle::history& history) {
    const auto eye = [](std::size_t k) {
      vector i(k * k, 0.0);
      for (std::size_t j = 0; j < k; ++j) i[j * k + j] = 1;
      return i;
    };
    const auto sum = [](const vector& a) { return std::inner_product(a.begin(), a.end(), a.begin(), 0.0); };
    const auto largest = [](const vector& a) {
      double most = 0;
      for (const double x : a) most = std::max(most, std::abs(x));
      return most;
    };
    vector d, u(n * rank), v(n * rank), steep(3, 0.0);  // U and V of n × rank
    for (std::size_t t = 1; t <= history.size(); ++t) {
      const vector& g = history[t - 1];
      const white_noise xi(seed, static_cast<long>(t), "");
      if (t == 1) {
        double fourth = 0;
        for (const double x : g) fourth += std::pow(x, 4) / static_cast<double>(n);
        d.assign(n, std::pow(fourth + std::pow(damping, 4), -0.125));
        for (std::size_t k = 0; k < rank; ++k)
          for (std::size_t i = 0; i < n; ++i) {
            u[i * rank + k] = xi.normal((1 + k) * n + i);
            v[i * rank + k] = xi.normal((1 + rank + k) * n + i);
          }
        if (rank > 0) u = std::sqrt(0.1 / sum(u)) * u, v = std::sqrt(0.1 / sum(v)) * v;
      }
      if (rank > 0) {
        const double rho = std::pow(sum(u) / sum(v), 0.25);
        u = (1 / rho) * u, v = rho * v;
        const vector uu = times(transposed(u, n, rank), rank, n, u, rank), vv = times(transposed(v, n, rank), rank, n, v, rank);
        const vector e = (0.1 / (sum(u) + sum(v))) * (uu - vv), half = 0.5 * times(e, rank, rank, e, rank);
        u = u - times(u, n, rank, e - half, rank);
        v = v + times(v, n, rank, e + half, rank);
      }
      const auto q = [&] {
        vector q = eye(n) + times(u, n, rank, transposed(v, n, rank), n);
        for (std::size_t i = 0; i < n; ++i)
          for (std::size_t j = 0; j < n; ++j) q[i * n + j] *= d[j];
        return q;
      };
      const vector whole = q(), back = inverse(whole, n);
      vector nu(n);
      for (std::size_t i = 0; i < n; ++i) nu[i] = xi.normal(i);
      const vector h = g + damping * nu;
      const vector a = times(whole, n, n, h, 1), b = times(transposed(back, n, n), n, n, nu, 1);
      const vector of_h = oracle::each(times(transposed(whole, n, n), n, n, a, 1), h, std::multiplies<>());
      const vector of_nu = oracle::each(times(back, n, n, b, 1), nu, std::multiplies<>());
      const auto steepest = [&](std::size_t which, double now) { return steep[which] = std::max(beta * steep[which] + (1 - beta) * now, now); };
      d = d - (rate / steepest(0, largest(of_h) + largest(of_nu))) * oracle::each(of_h - of_nu, d, std::multiplies<>());
      if (rank > 0) {
        const bool left = t % 2 == 1;
        const vector& with = left ? v : u;
        const auto across = [&](const vector& x) { return times(transposed(with, n, rank), rank, n, x, 1); };
        const auto length = [&](const vector& x) { return oracle::norm(x) * oracle::norm(times(with, n, rank, across(x), 1)); };
        const double by = rate / steepest(left ? 1 : 2, length(a) + length(b));
        const vector outer = times(a, n, 1, a, n) - times(b, n, 1, b, n);
        if (left) u = u - by * times(times(outer, n, n, v, rank), n, rank, eye(rank) + times(transposed(v, n, rank), rank, n, u, rank), rank);
        else v = v - by * times(eye(n) + times(v, n, rank, transposed(u, n, rank), n), n, n, times(outer, n, n, u, rank), rank);
      }
      if (t == history.size()) {
        const vector last = q();
        return times(transposed(last, n, n), n, n, times(last, n, n, g, 1), 1);
      }
    }
    return vector();
  };
}

void agrees(const scale_by_psgd_lra& o, std::vector<std::size_t> shape) {
  auto s = oracle::dozen();
  s.parameters.front().shape = std::move(shape);
  const auto& p = s.parameters.front();
  const auto u = lra(p.size(), std::min(static_cast<std::size_t>(o.rank), p.size() - 1), o.rate, o.beta, o.damping, o.seed);
  const auto y = oracle::descend(oracle::start(p), oracle::gradients(s, p), u, s.options.weight_decay,
                                 oracle::warmed_up(s.options), oracle::decay::decoupled);
  oracle::agrees(o, s, {{y}, {y}}, 1e-3, 1e-10);
}

}  // namespace

TEST_CASE("scale_by_psgd_lra: the common suite") {
  suite(ema{.beta = 0.8} | scale_by_psgd_lra{.rank = 1, .rate = 0.2, .seed = 3});
}

TEST_CASE("scale_by_psgd_lra fits a diagonal and a few directions") {
  agrees({.rank = 3, .seed = 5}, {5, 4});
  agrees({.rank = 2, .rate = 0.5, .beta = 0, .damping = 0.1}, {11});
  agrees({.rank = 0, .rate = 0.3}, {7});
  agrees({.rank = 1000}, {3});
  agrees({.rank = 10}, {1});
}

TEST_CASE("scale_by_psgd_lra: the first update of a number, by hand; zeros before it change nothing") {
  // d = (16 + δ⁴)^(-1/8) = 2^(-1/2). a = 2·d = √2, b = ν·√2. Qᵀa·h = 2 and ν·b/d = 2ν²; d ← d·(1 - 0.1·(2 - 2ν²)/(2 + 2ν²)).
  std::vector<double> w{0};
  auto opt = optimizer(scale_by_psgd_lra{.damping = 1e-30}, std::vector{as_parameter("w", w)}, {.lr = 1});
  for (int t = 0; t < 3; ++t) opt.step({std::vector<double>{0}});
  CHECK(w[0] == 0);
  opt.step({std::vector<double>{2}});
  const double nu = white_noise(0, 4, "").normal(0), d = std::sqrt(0.5) * (1 - 0.1 * (1 - nu * nu) / (1 + nu * nu));
  CHECK(w[0] == doctest::Approx(-2 * d * d).epsilon(1e-12));
}

TEST_CASE("scale_by_psgd_lra makes coloured gradients white") {
  // Numbers of very different size, two of which move together.
  constexpr std::size_t n = 6;
  vector mix(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i) mix[i * n + i] = std::pow(10.0, 1 - static_cast<double>(i) / 2);
  mix[1] = 9;
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  std::vector<double> theta(n, 0.0);
  auto opt = optimizer(scale_by_psgd_lra{.rank = 2, .rate = 0.05}, std::vector{as_parameter("w", theta)}, {.lr = 1});
  vector covariance(n * n, 0.0);
  constexpr int before = 8000, samples = 4000;
  for (int t = 0; t < before + samples; ++t) {
    vector z(n);
    for (double& x : z) x = normal(random);
    const auto last = theta;
    opt.step({times(mix, n, n, z, 1)});
    const vector u = last - theta;
    if (t >= before) covariance = covariance + (1.0 / samples) * times(u, n, 1, u, n);
  }
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j) CHECK(std::abs(covariance[i * n + j] - (i == j)) < 0.35);
}

TEST_CASE("a column-major matrix moves as its row-major twin") {
  moves_as_its_twin(scale_by_psgd_lra{.rank = 2});
  moves_as_its_twin(scale_by_psgd_kron{});
}

TEST_CASE("scale_by_psgd_kron: the common suite") {
  suite(scale_by_psgd_kron{});
  suite(ema{.beta = 0.8} | scale_by_psgd_kron{.flat = 2, .fading = 0.7, .least = 0.4, .longest = 4, .seed = 3});
}

TEST_CASE("scale_by_psgd_kron fits a factor a side") {
  agrees({.rate = 0.2, .seed = 5}, {5, 9}, psgd(5, 9, false, false, 0.2, 5, 1));
  agrees({}, {4, 3}, psgd(4, 3, false, false, 0.1, 0, 1));
  agrees({.longest = 5}, {5, 9}, psgd(5, 9, false, true, 0.1, 0, 1));
  agrees({.longest = 5}, {9, 5}, psgd(9, 5, true, false, 0.1, 0, 1));
  agrees({.rate = 0.3}, {7, 1}, psgd(7, 1, false, true, 0.3, 0, 1));
  agrees({.rate = 0.3}, {1, 1}, psgd(1, 1, true, true, 0.3, 0, 1));
}

TEST_CASE("scale_by_psgd_kron: fits become rarer") {
  const auto count = [](const scale_by_psgd_kron& o, long from, long to) {
    long n = 0;
    for (long t = from; t <= to; ++t) n += o.fits(t);
    return n;
  };
  const scale_by_psgd_kron usual;
  CHECK(count(usual, 1, 500) == 500);
  CHECK(count(usual, 501, 1500) == doctest::Approx((1 - std::exp(-1)) * 1000).epsilon(0.01));
  CHECK(count(usual, 10001, 20000) == doctest::Approx(300).epsilon(0.01));
  CHECK(count({.least = 1}, 1, 5000) == 5000);
  CHECK(count({.fading = 1e-18}, 501, 2000) == doctest::Approx(1500).epsilon(0.01));
  CHECK(count({.flat = 1, .fading = 100, .least = 0.5}, 2, 101) == doctest::Approx(50).epsilon(0.03));
}

TEST_CASE("scale_by_psgd_kron makes coloured gradients white") {
  // Rows and columns of very different size, and mixed.
  constexpr std::size_t m = 3, n = 4;
  const vector rows{10, 3, 0, 0, 1, 0.5, 0, 0, 0.1}, cols{1, 0, 0, 0, 2, 5, 0, 0, 0, 0, 0.2, 0, 1, 0, 0, 1};
  std::mt19937 random(7);
  std::normal_distribution<double> normal;
  std::vector<double> theta(m * n, 0.0);
  auto opt = optimizer(scale_by_psgd_kron{.flat = 4000}, std::vector{as_parameter("w", theta, {m, n})}, {.lr = 1});
  vector covariance(m * m, 0.0);
  constexpr int samples = 2000;
  for (int t = 0; t < 4000 + samples; ++t) {
    vector z(m * n);
    for (double& x : z) x = normal(random);
    const auto before = theta;
    opt.step({times(times(rows, m, m, z, n), m, n, cols, n)});
    const vector u = before - theta;
    if (t < 4000) continue;
    covariance = covariance + (1.0 / (samples * n)) * times(u, m, n, transposed(u, m, n), m);
  }
  for (std::size_t i = 0; i < m; ++i)
    for (std::size_t j = 0; j < m; ++j) CHECK(std::abs(covariance[i * m + j] - (i == j)) < 0.35);
}

TEST_CASE("scale_by_psgd_kron: an update of zeros teaches nothing, however many there are") {
  std::vector<float> theta{1, 2, 3, 4};
  auto opt = optimizer(scale_by_psgd_kron{}, std::vector{as_parameter("w", theta, {2, 2})}, {.lr = 1});
  const std::vector<float> zero(4, 0.0f), g{1, -1, 2, 0.5f};
  for (int t = 0; t < 2000; ++t) opt.step({zero});
  CHECK(theta == std::vector<float>{1, 2, 3, 4});
  opt.step({g});
  for (const float x : theta) CHECK(std::isfinite(x));
}
