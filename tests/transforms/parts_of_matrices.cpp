// What stands in for orthogonalising a whole matrix: a part of its rows, few directions, a triangle, directions of rows.
#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "../linear_algebra/bands.hpp"
#include "agreement.hpp"
#include "matrices.hpp"

using namespace thalweg;
using oracle::vector;
using oracle::operator+, oracle::operator-, oracle::operator*;
using training::subject;
using training::suite, training::takes;

namespace {

struct shape { std::size_t rows, cols; };

training::setting of(shape s) {
  auto all = oracle::dozen();
  all.parameters = {{.name = "w", .shape = {s.rows, s.cols}}};
  return all;
}

/// The parameter after a dozen steps with the update, whose calls are one a step.
void descends(const subject& chain, shape s, const oracle::update& u, double in_float = 1e-3) {
  const auto all = of(s);
  const auto& p = all.parameters.front();
  const auto y = oracle::descend(oracle::start(p), oracle::gradients(all, p), u, all.options.weight_decay,
                                 oracle::warmed_up(all.options));
  oracle::agrees(chain, all, {{y}, {y}}, in_float, 1e-10);
}

double dot(const vector& a, const vector& b) { return std::inner_product(a.begin(), a.end(), b.begin(), 0.0); }

/// Dion2, as its authors' code reads: the whole history from zero at every step.
oracle::update rows_of(shape s, double fraction, double keep, bool in_turn) {
  return [=](const oracle::history& u) {
    if (s.rows > s.cols) {
      oracle::history wide;
      for (const auto& g : u) wide.push_back(oracle::transposed(g, s.rows, s.cols));
      const vector x = rows_of({s.cols, s.rows}, fraction, keep, in_turn)(wide);
      const double by_shape = std::sqrt(double(s.rows) / double(s.cols)) / std::sqrt(double(s.cols) / double(s.rows));
      return by_shape * oracle::transposed(x, s.cols, s.rows);
    }
    const auto count = static_cast<std::size_t>(std::ceil(fraction * static_cast<double>(s.rows)));
    vector m(s.rows * s.cols, 0.0), update;
    for (std::size_t t = 0; t < u.size(); ++t) {
      m = m + u[t];
      std::vector<std::size_t> order(s.rows);
      std::iota(order.begin(), order.end(), std::size_t{0});
      if (in_turn) {
        for (std::size_t& i : order) i = (i + t * count) % s.rows;
      } else {
        const auto size = [&](std::size_t i) {
          double sum = 0;
          for (const double x : oracle::row(m, i, s.cols)) sum += std::abs(x);
          return sum;
        };
        std::ranges::stable_sort(order, std::greater<>(), size);
      }
      order.resize(count);
      std::ranges::sort(order);
      vector part;
      for (const std::size_t i : order)
        for (const double x : oracle::row(m, i, s.cols)) part.push_back(x);
      oracle::newton_schulz iteration{.rows = count, .cols = s.cols, .steps = {}, .epsilon = 1e-8};
      for (std::size_t i = 0; i < 5; ++i)
        iteration.steps.push_back({polar_express.step(i).a, polar_express.step(i).b, polar_express.step(i).c});
      const vector orthogonal = std::sqrt(double(s.rows) / double(s.cols)) * iteration(part);
      update.assign(m.size(), 0.0);
      for (std::size_t k = 0; k < order.size(); ++k)
        for (std::size_t j = 0; j < s.cols; ++j) {
          update[order[k] * s.cols + j] = orthogonal[k * s.cols + j];
          m[order[k] * s.cols + j] *= keep;
        }
    }
    return update;
  };
}

/// MUD, as its paper writes it.
oracle::update decorrelated(shape s, int passes) {
  return [=](const oracle::history& u) {
    if (s.rows > s.cols)
      return oracle::transposed(decorrelated({s.cols, s.rows}, passes)({oracle::transposed(u.back(), s.rows, s.cols)}), s.cols, s.rows);
    const auto normalized = [&](const vector& q) {
      return oracle::each_row(q, s.cols, [](const vector& r, std::size_t) { return (1 / oracle::norm(r)) * r; });
    };
    vector q = u.back();
    for (int pass = 0; pass < passes; ++pass) {
      q = normalized(q);
      const vector gram = oracle::times(q, s.rows, s.cols, oracle::transposed(q, s.rows, s.cols), s.rows);
      for (std::size_t i = 0; i < s.rows; ++i)  // T·x = q, from the top
        for (std::size_t j = 0; j < s.cols; ++j) {
          for (std::size_t k = 0; k < i; ++k) q[i * s.cols + j] -= gram[i * s.rows + k] * q[k * s.cols + j];
          q[i * s.cols + j] /= gram[i * s.rows + i];
        }
      q = normalized(q);
    }
    return 0.2 * std::sqrt(static_cast<double>(s.cols)) * q;
  };
}

}  // namespace

TEST_CASE("orthogonalize_rows") {
  for (const row_choice choice : {row_choice::largest, row_choice::in_turn})
    for (const auto& [s, fraction] : {std::pair{shape{8, 11}, 0.25}, {shape{11, 8}, 0.25}, {shape{7, 7}, 0.3}, {shape{5, 9}, 1.0}}) {
      CAPTURE(s.rows);
      CAPTURE(fraction);
      const orthogonalize_rows t{.fraction = fraction, .keep = 0.9, .choice = choice};
      descends(t, s, rows_of(s, fraction, 0.9, choice == row_choice::in_turn));
    }
  suite(orthogonalize_rows{.fraction = 0.4} | scale{.by = 0.5}, takes::matrices);
  suite(orthogonalize_rows{.fraction = 0.4, .choice = row_choice::in_turn}, takes::matrices);
}

TEST_CASE("decorrelate_rows") {
  for (const int passes : {1, 3})
    for (const shape s : {shape{5, 9}, {9, 5}, {6, 6}, {1, 7}}) {
      CAPTURE(s.rows);
      descends(decorrelate_rows{.passes = passes}, s, decorrelated(s, passes));
    }
  suite(nesterov_momentum{.beta = 0.8} | decorrelate_rows{}, takes::matrices);

  // Orthonormal rows stay; rows of zeros, and those which depend on others, become zero; any size is the same.
  const auto of_one = [](std::vector<double> g, shape s) {
    std::vector<double> theta(g.size());
    auto opt = optimizer(decorrelate_rows{.scale = none{}}, std::vector{as_parameter("w", theta, {s.rows, s.cols})}, {.lr = 1});
    opt.step({g});
    return theta;
  };
  const auto near = [](const std::vector<double>& a, const std::vector<double>& b) {
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-12));
  };
  near(of_one({0.6, 0.8, 0, 0, 0, 1}, {2, 3}), {-0.6, -0.8, 0, 0, 0, -1});
  near(of_one({3, 4, 0, 6, 8, 0}, {2, 3}), {-0.6, -0.8, 0, 0, 0, 0});
  near(of_one({0, 0, 0, 3e-30, 4e-30, 0}, {2, 3}), {0, 0, 0, -0.6, -0.8, 0});
  near(of_one({1, 0, 0, 1, 1, 0}, {2, 3}), {-1, 0, 0, 0, -1, 0});  // Gram and Schmidt, by hand
}

TEST_CASE("orthogonalize_low_rank") {
  // A direction at a time, from the same noise.
  for (const shape s : {shape{5, 9}, {9, 5}, {6, 6}}) {
    CAPTURE(s.rows);
    const orthogonalize_low_rank t{.fraction = 0.5, .keep = 0.9, .seed = 3};
    vector m(s.rows * s.cols, 0.0);
    std::vector<vector> q;  // its columns
    descends(t, s, [&](const oracle::history& u) {
      if (u.size() == 1) {  // once for each type
        m.assign(m.size(), 0.0);
        q.assign((std::min(s.rows, s.cols) + 1) / 2, vector(s.cols));
        const white_noise noise(3, 1, "");
        for (std::size_t k = 0; k < q.size(); ++k)
          for (std::size_t j = 0; j < s.cols; ++j) q[k][j] = noise.normal(k * s.cols + j);
      }
      m = m + u.back();
      std::vector<vector> p;
      for (const vector& direction : q) {  // Gram and Schmidt
        vector column = oracle::times(m, s.rows, s.cols, direction, 1);
        for (int again = 0; again < 2; ++again)
          for (const vector& before : p) column = column - dot(column, before) * before;
        p.push_back((1 / oracle::norm(column)) * column);
      }
      const vector turned = oracle::transposed(m, s.rows, s.cols);
      vector update(m.size(), 0.0);
      for (std::size_t k = 0; k < p.size(); ++k) {
        const vector r = oracle::times(turned, s.cols, s.rows, p[k], 1);
        q[k] = (1 / (oracle::norm(r) + 1e-8)) * r;
        const double scale = std::sqrt(double(s.rows) / double(s.cols));
        update = update + scale * oracle::times(p[k], s.rows, 1, q[k], s.cols);
        m = m - 0.1 * oracle::times(p[k], s.rows, 1, r, s.cols);
      }
      return update;
    }, 3e-3);
  }
  suite(orthogonalize_low_rank{.fraction = 0.5} | scale{.by = 0.5}, takes::matrices);
}

namespace {

/// Muown, as its authors' code reads, but for the average in place of the sum. Lengths stay positive here.
vector muown(const vector& start, const oracle::history& g, shape s, const orthogonalize_directions& o, const oracle::rate& lr, double decay) {
  const std::size_t n = s.cols;
  std::vector<vector> v, m(s.rows, vector(n, 0.0));
  vector lengths, first(s.rows, 0.0), second(s.rows, 0.0), theta = start;
  for (std::size_t i = 0; i < s.rows; ++i) v.push_back(oracle::row(start, i, n)), lengths.push_back(oracle::norm(v[i]));
  for (std::size_t t = 1; t <= g.size(); ++t) {
    vector looked_ahead;
    for (std::size_t i = 0; i < s.rows; ++i) {
      const vector u = oracle::row(g[t - 1], i, n), unit = (1 / oracle::norm(v[i])) * v[i];
      const double along = dot(u, unit);
      const vector d = (lengths[i] / oracle::norm(v[i])) * (u - along * unit);
      m[i] = o.momentum * m[i] + (1 - o.momentum) * d;
      const vector ahead = o.momentum * m[i] + (1 - o.momentum) * d;
      looked_ahead.insert(looked_ahead.end(), ahead.begin(), ahead.end());
      first[i] = o.beta1 * first[i] + (1 - o.beta1) * along;
      second[i] = o.beta2 * second[i] + (1 - o.beta2) * along * along;
    }
    const oracle::newton_schulz iteration{.rows = s.rows, .cols = n, .steps = oracle::muon_steps};
    const vector x = 0.2 * std::sqrt(static_cast<double>(std::max(s.rows, n))) * iteration(looked_ahead);
    const double rate = lr(static_cast<long>(t));
    for (std::size_t i = 0; i < s.rows; ++i) {
      v[i] = v[i] - rate * oracle::row(x, i, n);
      const double k = static_cast<double>(t);
      lengths[i] -= rate * first[i] / (1 - std::pow(o.beta1, k)) / (std::sqrt(second[i] / (1 - std::pow(o.beta2, k))) + o.epsilon);
      for (std::size_t j = 0; j < n; ++j) {
        double& w = theta[i * n + j];
        w = lengths[i] / oracle::norm(v[i]) * v[i][j] - rate * decay * w;
      }
      lengths[i] = oracle::norm(oracle::row(theta, i, n));
      v[i] = oracle::norm(v[i]) / lengths[i] * oracle::row(theta, i, n);  // as the weight decay has turned it
    }
  }
  return theta;
}

}  // namespace

TEST_CASE("orthogonalize_directions") {
  for (const shape s : {shape{5, 9}, {9, 5}, {6, 6}}) {
    CAPTURE(s.rows);
    for (const double decay : {0.0, 0.05}) {
      auto all = of(s);
      all.options.weight_decay = decay;
      const auto& p = all.parameters.front();
      const orthogonalize_directions o{.momentum = 0.8, .beta1 = 0.7, .beta2 = 0.9, .epsilon = 1e-3};
      const auto y = muown(oracle::start(p), oracle::gradients(all, p), s, o, oracle::warmed_up(all.options), decay);
      oracle::agrees(o, all, {{y}, {y}}, 1e-3, 1e-10);
    }
  }
  suite(orthogonalize_directions{.momentum = 0.8}, takes::matrices);

  // By hand, with steps of length 1 in one plane: Newton and Schulz make UVᵀ = (0, 1) of the gradient's part across the
  // row (1, 0), and lr·0.2·√2 turns the row that far. Along it Adam's first step is lr long. A row of zeros stays.
  std::vector<double> w{1, 0, 0, 0};
  auto opt = optimizer(orthogonalize_directions{.epsilon = 1e-18, .scale = none{}, .coefficients = cans_for{}, .steps = 12, .matrix_epsilon = 0},
                       std::vector{as_parameter("w", w, {2, 2})}, {.lr = 0.5});
  opt.step({std::vector<double>{2, -3, 0, 0}});
  const double length = 1 - 0.5, across = std::sqrt(1 + 0.25);
  CHECK(w[0] == doctest::Approx(length / across).epsilon(1e-6));
  CHECK(w[1] == doctest::Approx(length * 0.5 / across).epsilon(1e-6));
  CHECK(w[2] == 0);
  CHECK(w[3] == 0);
}

TEST_CASE("what transforms of parts refuse") {
  const auto refusal = [](const auto& t, std::vector<std::size_t> shape) -> std::string {
    std::vector<float> w(element_count(shape));
    try {
      optimizer(chain(t), std::vector{as_parameter("w", w, shape)}, {});
      return "";
    } catch (const error& e) {
      return e.what();
    }
  };
  CHECK(refusal(orthogonalize_rows{}, {7}).starts_with("[orthogonalize_rows] Expected rank >= 2. Received 'w'"));
  CHECK(refusal(orthogonalize_low_rank{}, {7}).starts_with("[orthogonalize_low_rank] Expected rank >= 2."));
  CHECK(refusal(orthogonalize_directions{}, {7}).starts_with("[orthogonalize_directions] Expected rank >= 2."));
  CHECK(refusal(orthogonalize_directions{.scale = nuclear_norm{}}, {7, 7})
            .starts_with("[orthogonalize_directions] Expected a scale of the shape alone"));
  CHECK(refusal(decorrelate_rows{}, {7}).starts_with("[decorrelate_rows] Expected rank >= 2."));
  CHECK(refusal(decorrelate_rows{.scale = nuclear_norm{}}, {7, 7}) ==
        "[decorrelate_rows] Expected a scale rule that depends only on the shape: spectral, match_rms, unit_rms_norm or none. Received nuclear_norm.");
  CHECK(refusal(orthogonalize_rows{.coefficients = deepseek_v4}, {7, 7}) ==
        "[orthogonalize_rows] Expected steps >= 10 for deepseek_v4. Received 5.");
  CHECK(refusal(orthogonalize_low_rank{.fraction = 0}, {7, 7}).starts_with("[orthogonalize_low_rank] Expected fraction in (0, 1]"));
}
