#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>

#include "agreement.hpp"
#include "matrices.hpp"

using namespace thalweg;
using oracle::operator+, oracle::operator*;
using oracle::times, oracle::transposed, oracle::vector;
using training::setting;
using training::subject;
using training::suite;

namespace {

struct square {
  std::size_t n;
  vector a;
  [[nodiscard]] square with_columns(const std::vector<std::size_t>& order) const {
    square q{n, vector(n * n)};
    for (std::size_t i = 0; i < n; ++i)
      for (std::size_t j = 0; j < n; ++j) q.a[i * n + j] = a[i * n + order[j]];
    return q;
  }
};

std::vector<std::size_t> falling(const vector& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::ranges::stable_sort(order, [&](auto i, auto j) { return values[i] > values[j]; });
  return order;
}

square eigenvectors(const square& m) {
  const auto found = oracle::eigen(m.a, m.n);
  return square{m.n, found.second}.with_columns(falling(found.first));
}

// The columns made orthonormal one after the other, each against those before it.
square gram_schmidt(square q) {
  const auto column = [&](std::size_t j, const auto& f) {
    for (std::size_t i = 0; i < q.n; ++i) f(q.a[i * q.n + j], i);
  };
  for (std::size_t j = 0; j < q.n; ++j) {
    for (int again = 0; again < 2; ++again)
      for (std::size_t k = 0; k < j; ++k) {
        double along = 0;
        column(j, [&](double& x, std::size_t i) { along += x * q.a[i * q.n + k]; });
        column(j, [&](double& x, std::size_t i) { x -= along * q.a[i * q.n + k]; });
      }
    double length = 0;
    column(j, [&](double& x, std::size_t) { length += x * x; });
    column(j, [&](double& x, std::size_t) { x /= std::sqrt(length); });
  }
  return q;
}

// The whole history walked anew for every update.
oracle::update soap(std::size_t rows, std::size_t cols, const scale_by_soap& o) {
  const bool has_left = o.sides == soap_sides::both || rows <= cols, has_right = o.sides == soap_sides::both || rows > cols;
  return [=](const oracle::history& u) {
    square left, right;  // the bases
    vector v(rows * cols, 0.0), update(rows * cols, 0.0);
    for (std::size_t t = 1; t <= u.size(); ++t) {
      oracle::history of_rows, of_cols;
      for (std::size_t s = 0; s < t; ++s) {
        const vector across = transposed(u[s], rows, cols);
        of_rows.push_back(times(u[s], rows, cols, across, rows));
        of_cols.push_back(times(across, cols, rows, u[s], cols));
      }
      const square l{rows, oracle::average(of_rows, o.preconditioner_beta)};
      const square r{cols, oracle::average(of_cols, o.preconditioner_beta)};
      if (t == 1) {
        left = eigenvectors(l);
        right = eigenvectors(r);
        continue;
      }
      const auto rotated = [&](vector g) {
        if (has_left) g = times(transposed(left.a, rows, rows), rows, rows, g, cols);
        if (has_right) g = times(g, rows, cols, right.a, cols);
        return g;
      };
      const oracle::history seen(u.begin() + 1, u.begin() + static_cast<std::ptrdiff_t>(t));
      v = o.beta2 * v + (1 - o.beta2) * oracle::squared(rotated(u[t - 1]));
      const double k = static_cast<double>(t - 1);
      const double correction = std::sqrt(1 - std::pow(o.beta2, k)) / (1 - std::pow(o.beta1, k));
      update = correction * oracle::over_root(rotated(oracle::average(seen, o.beta1)), v, o.epsilon);
      if (has_left) update = times(left.a, rows, rows, update, cols);
      if (has_right) update = times(update, rows, cols, transposed(right.a, cols, cols), cols);

      if ((t - 1) % static_cast<std::size_t>(o.period) != 0) continue;
      const auto turned = [](const square& m, square& q) {
        const vector inside = times(times(transposed(q.a, q.n, q.n), q.n, q.n, m.a, q.n), q.n, q.n, q.a, q.n);
        vector estimates(q.n);
        for (std::size_t i = 0; i < q.n; ++i) estimates[i] = inside[i * q.n + i];
        const auto order = falling(estimates);
        q = gram_schmidt({q.n, times(m.a, q.n, q.n, q.with_columns(order).a, q.n)});
        return order;
      };
      const vector before = v;
      std::vector<std::size_t> of_row(rows), of_col(cols);
      std::iota(of_row.begin(), of_row.end(), std::size_t{0});
      std::iota(of_col.begin(), of_col.end(), std::size_t{0});
      if (has_left) of_row = turned(l, left);
      if (has_right) of_col = turned(r, right);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < cols; ++j) v[i * cols + j] = before[of_row[i] * cols + of_col[j]];
    }
    return update;
  };
}

/// `by(rows, cols, transform)` makes the oracle.
template <class Transform>
void agrees(const Transform& o, const std::vector<std::size_t>& shape, oracle::update by(std::size_t, std::size_t, const Transform&)) {
  auto s = oracle::dozen();
  s.parameters.front().shape = shape;
  const auto& p = s.parameters.front();
  const auto y = oracle::descend(oracle::start(p), oracle::gradients(s, p), by(shape[0], shape[1], o), s.options.weight_decay,
                                 oracle::warmed_up(s.options), oracle::decay::decoupled);
  oracle::agrees(o, s, {{y}, {y}}, 2e-3, 1e-9);
}
void agrees(const scale_by_soap& o, const std::vector<std::size_t>& shape) { agrees(o, shape, soap); }

// KL-Shampoo and KL-SOAP, as the paper and its authors' code have them: the whole history walked anew.
oracle::update kl(std::size_t rows, std::size_t cols, const scale_by_kl_shampoo& o) {
  const bool has_left = o.sides == soap_sides::both || rows <= cols, has_right = o.sides == soap_sides::both || rows > cols;
  return [=](const oracle::history& u) {
    square left, right, l{rows, vector(rows * rows, 0.0)}, r{cols, vector(cols * cols, 0.0)};
    vector a(rows, has_left ? o.initial : 1), b(cols, has_right ? o.initial : 1);  // the eigenvalues
    vector m(rows * cols, 0.0), v = m, update = m;
    const auto diagonal = [](const vector& values, double power) {
      square d{values.size(), vector(values.size() * values.size(), 0.0)};
      for (std::size_t i = 0; i < values.size(); ++i) d.a[i * d.n + i] = std::pow(values[i], power);
      return d;
    };
    const auto composed = [](const square& q, const square& d) {
      return times(times(q.a, q.n, q.n, d.a, q.n), q.n, q.n, transposed(q.a, q.n, q.n), q.n);
    };
    const auto rotated = [&](vector g, bool back) {
      if (has_left) g = times(back ? left.a : transposed(left.a, rows, rows), rows, rows, g, cols);
      if (has_right) g = times(g, rows, cols, back ? transposed(right.a, cols, cols) : right.a, cols);
      return g;
    };
    for (std::size_t t = 1; t <= u.size(); ++t) {
      const vector &g = u[t - 1], across = transposed(g, rows, cols);
      const bool begins = t == 1;
      const vector inverse_of_r = begins || !has_right ? diagonal(vector(cols, 1.0), 1).a : composed(right, diagonal(b, -1));
      const vector inverse_of_l = begins || !has_left ? diagonal(vector(rows, 1.0), 1).a : composed(left, diagonal(a, -1));
      const double add = 1 - o.preconditioner_beta;
      l.a = o.preconditioner_beta * l.a + add / double(cols) * times(times(g, rows, cols, inverse_of_r, cols), rows, cols, across, rows);
      r.a = o.preconditioner_beta * r.a + add / double(rows) * times(times(across, cols, rows, inverse_of_l, rows), cols, rows, g, cols);
      if (begins) {
        left = eigenvectors(l);
        right = eigenvectors(r);
        continue;
      }
      m = o.beta1 * m + (1 - o.beta1) * g;
      const vector turned = rotated(g, false);
      v = o.beta2 * v + (1 - o.beta2) * oracle::squared(turned);
      update = rotated(m, false);
      vector next_a(rows, 0.0), next_b(cols, 0.0);
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < cols; ++j) {
          const std::size_t k = i * cols + j;
          update[k] /= std::sqrt(o.method == kl_method::soap ? v[k] : a[i] * b[j]) + o.epsilon;
          next_a[i] += turned[k] * turned[k] / b[j] / double(cols);
          next_b[j] += turned[k] * turned[k] / a[i] / double(rows);
        }
      update = rotated(update, true);
      const auto moved = [&](vector& values, const vector& measured) {
        const double longest = std::max(10.0, std::min(double(values.size()), double(o.longest)));
        for (std::size_t i = 0; i < values.size(); ++i)
          values[i] = std::max(o.preconditioner_beta * values[i] + add * measured[i], 1 / longest / longest);
      };
      if (has_left) moved(a, next_a);
      if (has_right) moved(b, next_b);

      if ((t - 1) % static_cast<std::size_t>(o.period) != 0) continue;
      const auto turn = [](const square& of, square& q, vector& values) {
        const vector inside = times(times(transposed(q.a, q.n, q.n), q.n, q.n, of.a, q.n), q.n, q.n, q.a, q.n);
        vector estimates(q.n), before = values;
        for (std::size_t i = 0; i < q.n; ++i) estimates[i] = inside[i * q.n + i];
        const auto order = falling(estimates);
        q = gram_schmidt({q.n, times(of.a, q.n, q.n, q.with_columns(order).a, q.n)});
        for (std::size_t i = 0; i < q.n; ++i) values[i] = before[order[i]];
        return order;
      };
      std::vector<std::size_t> of_row(rows), of_col(cols);
      std::iota(of_row.begin(), of_row.end(), std::size_t{0});
      std::iota(of_col.begin(), of_col.end(), std::size_t{0});
      if (has_left) of_row = turn(l, left, a);
      if (has_right) of_col = turn(r, right, b);
      const vector before = v;
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < cols; ++j) v[i * cols + j] = before[of_row[i] * cols + of_col[j]];
    }
    return update;
  };
}

void kl_agrees(const scale_by_kl_shampoo& o, const std::vector<std::size_t>& shape) { agrees(o, shape, kl); }

}  // namespace

TEST_CASE("scale_by_kl_shampoo: the common suite, of the side that has full rank at once") {
  suite(scale_by_kl_shampoo{.period = 2, .sides = soap_sides::shorter}, training::takes::matrices);
}

TEST_CASE("scale_by_kl_shampoo whitens each side by the other") {
  for (const kl_method method : {kl_method::shampoo, kl_method::soap}) {
    CAPTURE(to_text(method));
    kl_agrees({.method = method, .beta1 = 0.8, .beta2 = 0.9, .preconditioner_beta = 0.7, .epsilon = 1e-3, .period = 3}, {6, 6});
    kl_agrees({.method = method, .preconditioner_beta = 0.9, .epsilon = 1e-2, .period = 1, .initial = 2}, {4, 4});
    kl_agrees({.method = method, .initial = 1e-9, .longest = 10}, {1, 1});
    for (const auto& shape : {std::vector<std::size_t>{5, 9}, {9, 5}})
      kl_agrees({.method = method, .beta1 = 0.8, .preconditioner_beta = 0.8, .epsilon = 1e-3, .period = 2, .sides = soap_sides::shorter}, shape);
  }

  // By hand, a matrix of 1 × 1: the second step moves by m = 0.1·4 over √(0.1·0.1) = 0.1. Then a = 0.5·0.1 + 0.5·16/0.1 = 80.05.
  std::vector<double> w{0};
  auto opt = optimizer(scale_by_kl_shampoo{.preconditioner_beta = 0.5, .epsilon = 1e-18}, std::vector{as_parameter("w", w, {1, 1})}, {.lr = 1});
  const std::vector<double> g{4};
  opt.step({g});
  CHECK(w[0] == 0);
  opt.step({g});
  CHECK(w[0] == doctest::Approx(-4));
  opt.step({g});
  CHECK(w[0] == doctest::Approx(-4 - 0.76 / 80.05));  // m = 0.9·0.4 + 0.1·4
}

TEST_CASE("scale_by_kl_shampoo: a column-major matrix moves as its row-major twin") {
  std::vector<double> by_rows{1, 2, 3, 4}, by_cols{1, 3, 2, 4};
  const auto bind = [&](std::vector<double>& values, storage_order order) {
    const parameter<double> w{.name = "w", .shape = {2, 2}, .data = values.data(), .order = order};
    return optimizer(scale_by_kl_shampoo{.period = 2}, std::vector{w}, {.lr = 0.1});
  };
  auto rows = bind(by_rows, storage_order::row_major);
  auto cols = bind(by_cols, storage_order::column_major);
  for (int t = 0; t < 6; ++t) {
    const double x = t;
    rows.step({std::vector<double>{1 + x, -2, 3, 0.5 * x}});
    cols.step({std::vector<double>{1 + x, 3, -2, 0.5 * x}});
  }
  const auto twin = transposed(by_cols, 2, 2);
  for (std::size_t i = 0; i < 4; ++i) CHECK(by_rows[i] == doctest::Approx(twin[i]));
}

TEST_CASE("scale_by_soap: the common suite, of the side that has full rank at once") {
  suite(scale_by_soap{.period = 2, .sides = soap_sides::shorter}, training::takes::matrices);
  suite(recipes::soap({.sides = soap_sides::shorter}));
}

TEST_CASE("scale_by_soap is Adam in the eigenbasis") {
  const scale_by_soap usual{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3, .preconditioner_beta = 0.7, .period = 3};
  agrees(usual, {6, 6});
  agrees(usual, {1, 1});
  agrees({.beta1 = 0.9, .beta2 = 0.95, .epsilon = 1e-2, .preconditioner_beta = 0.9, .period = 1}, {4, 4});
  for (const auto& shape : {std::vector<std::size_t>{5, 9}, {9, 5}, {4, 4}})
    agrees({.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3, .period = 2, .sides = soap_sides::shorter}, shape);
}

TEST_CASE("scale_by_soap: the first step moves nothing, and a side without a basis costs nothing") {
  std::vector<float> values(2 * 3, 1.0f);
  auto opt = optimizer(scale_by_soap{.sides = soap_sides::shorter},
                       std::vector{as_parameter("w", values, {2, 3})}, {.lr = 1});
  opt.step({std::vector<float>{1, 2, 3, 4, 5, 7}});
  for (const float x : values) CHECK(x == 1.0f);
  opt.step({std::vector<float>{1, 2, 3, 4, 5, 7}});
  CHECK(values[0] != 1.0f);
  CHECK(opt.describe().find(std::to_string((2 * 6 + 2 * 4) * sizeof(float)) + " B") != std::string::npos);
}

TEST_CASE("scale_by_soap: a column-major matrix moves as its row-major twin") {
  for (const auto sides : {soap_sides::both, soap_sides::shorter}) {
    std::vector<double> by_rows{1, 2, 3, 4}, by_cols{1, 3, 2, 4};
    const auto bind = [&](std::vector<double>& values, storage_order order) {
      const parameter<double> w{.name = "w", .shape = {2, 2}, .data = values.data(), .order = order};
      return optimizer(scale_by_soap{.period = 2, .sides = sides}, std::vector{w}, {.lr = 0.1});
    };
    auto rows = bind(by_rows, storage_order::row_major);
    auto cols = bind(by_cols, storage_order::column_major);
    for (int t = 0; t < 6; ++t) {
      const double x = t;
      rows.step({std::vector<double>{1 + x, -2, 3, 0.5 * x}});
      cols.step({std::vector<double>{1 + x, 3, -2, 0.5 * x}});
    }
    if (sides == soap_sides::shorter) continue;  // of a square matrix the rows, which lie across here
    const auto twin = transposed(by_cols, 2, 2);
    for (std::size_t i = 0; i < 4; ++i) CHECK(by_rows[i] == doctest::Approx(twin[i]));
  }
}

TEST_CASE("scale_by_soap refuses a vector") {
  std::vector<float> values(6);
  CHECK_THROWS_WITH_AS(optimizer(scale_by_soap{}, std::vector{as_parameter("b", values)}, {}),
                       "[scale_by_soap] Expected rank >= 2. Received 'b' with shape (6). Route it elsewhere: "
                       "route(when(hidden_matrix, ...), otherwise(...)).",
                       error);
}
