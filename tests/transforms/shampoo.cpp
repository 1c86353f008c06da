#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"
#include "matrices.hpp"

using namespace thalweg;
using oracle::descends;
using oracle::times, oracle::transposed, oracle::vector;
using training::subject;
using training::suite;

namespace {

// (matrix + ε)^(-1/4) of a symmetric matrix.
vector inverse_fourth_root(const vector& a, std::size_t n, double epsilon) {
  const auto [values, v] = oracle::eigen(a, n);
  vector root(n * n, 0.0);
  for (std::size_t i = 0; i < n; ++i)
    for (std::size_t j = 0; j < n; ++j)
      for (std::size_t k = 0; k < n; ++k)
        root[i * n + j] += v[i * n + k] * std::pow(values[k] + epsilon, -0.25) * v[j * n + k];
  return root;
}

oracle::update shampoo(std::size_t rows, std::size_t cols, double beta, double epsilon, std::size_t period) {
  return [=](const oracle::history& u) {
    oracle::history of_rows, of_cols;
    for (std::size_t t = 0; t <= (u.size() - 1) / period * period; ++t) {  // what the last refreshed roots knew
      const vector across = transposed(u[t], rows, cols);
      of_rows.push_back(times(u[t], rows, cols, across, rows));
      of_cols.push_back(times(across, cols, rows, u[t], cols));
    }
    const vector left = inverse_fourth_root(oracle::decaying_sum(of_rows, beta), rows, epsilon);
    const vector right = inverse_fourth_root(oracle::decaying_sum(of_cols, beta), cols, epsilon);
    return times(times(left, rows, rows, u.back(), cols), rows, cols, right, cols);
  };
}

}  // namespace

TEST_CASE("scale_by_shampoo") {
  const subject s = scale_by_shampoo{.beta = 0.9, .epsilon = 0.01, .period = 2};
  suite(s, training::takes::matrices);
  descends(s, shampoo(5, 9, 0.9, 0.01, 2));
  auto tall = oracle::dozen();
  tall.parameters.front().shape = {9, 5};
  descends(scale_by_shampoo{.epsilon = 0.01}, shampoo(9, 5, 1, 0.01, 1), oracle::decay::decoupled, tall);
}

TEST_CASE("scale_by_shampoo: a column-major matrix moves as its row-major twin") {
  std::vector<double> by_rows{1, 2, 3, 4, 5, 6}, by_cols{1, 4, 2, 5, 3, 6};
  const auto bind = [](std::vector<double>& values, storage_order order) {
    const parameter<double> w{.name = "w", .shape = {2, 3}, .data = values.data(), .order = order};
    return optimizer(scale_by_shampoo{}, std::vector{w}, {.lr = 0.1});
  };
  auto rows = bind(by_rows, storage_order::row_major);
  auto cols = bind(by_cols, storage_order::column_major);
  for (int t = 0; t < 3; ++t) {
    rows.step({std::vector<double>{1, -2, 3, 0.5, 2, -1}});
    cols.step({std::vector<double>{1, 0.5, -2, 2, 3, -1}});
  }
  const auto twin = transposed(by_cols, 3, 2);
  for (std::size_t i = 0; i < 6; ++i) CHECK(by_rows[i] == doctest::Approx(twin[i]));
}
