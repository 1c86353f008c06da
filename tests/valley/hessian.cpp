// Products with the Hessian and its top eigenvectors, where both are known.
#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "../../examples/race/network.hpp"
#include "../../examples/valley/error.hpp"
#include "../../examples/valley/hessian.hpp"
#include "river.hpp"

using namespace valley;
using doctest::Approx;

TEST_CASE("the Hessian of a quadratic") {
  const vector direction = river::at(1, -2, 3, -4);
  const vector product = central_difference(river::gradient, river::at(0.1, 0.2, 0.3, 0.4), direction);
  CHECK((product - river::at(8, -8, 1.5, 0)).norm() < 1e-9);
  CHECK(central_difference(river::gradient, river::at(1, 1, 1, 1), vector::Zero(4)).norm() == 0);
  const auto found = top_eigenpairs([](const vector& d) { return central_difference(river::gradient, vector::Zero(4), d); },
                                    4, 2);
  CHECK((found.curvatures - river::walls.curvatures).norm() < 1e-6);
  for (const Eigen::Index i : {0, 1})
    CHECK(std::abs(found.directions.col(i).dot(river::walls.directions.col(i))) == Approx(1));
}

TEST_CASE("the top of a large spectrum, and nothing of its other end") {
  // H = D - 2(w(Dw)ᵀ + (Dw)wᵀ) + 4(wᵀDw)wwᵀ = QDQ with Q = I - 2wwᵀ: the eigenvector i is Q's column i.
  constexpr Eigen::Index n = 300;
  vector values(n), w(n);
  for (Eigen::Index i = 0; i < n; ++i) {
    values[i] = i < 3 ? 10 - static_cast<double>(2 * i) : 1.0 / static_cast<double>(i);
    w[i] = std::sin(static_cast<double>(i + 1));
  }
  values[n - 1] = -50;  // the largest by magnitude
  w.normalize();
  const auto reflect = [&](const vector& v) -> vector { return v - 2 * w.dot(v) * w; };
  const auto found = top_eigenpairs([&](const vector& d) -> vector { return reflect(values.asDiagonal() * reflect(d)); }, n, 3);
  REQUIRE(found.curvatures.size() == 3);
  for (Eigen::Index i = 0; i < 3; ++i) {
    CHECK(found.curvatures[i] == Approx(10 - static_cast<double>(2 * i)).epsilon(1e-6));
    CHECK(std::abs(found.directions.col(i).dot(reflect(vector::Unit(n, i)))) == Approx(1).epsilon(1e-6));
  }
  CHECK((found.directions.transpose() * found.directions - matrix::Identity(3, 3)).norm() < 1e-10);
}

TEST_CASE("softmax regression has a Hessian in closed form") {
  // One image x = (1, 2) and three classes. At zero weights all probabilities are ⅓, so with outputs o' = W'x + b' along a
  // direction (W', b'), the gradient of the outputs changes by q = (o' - mean(o')) / 3, and H d = (q xᵀ, q).
  race::network<double> net({2, 3}, 1);
  const auto parameters = net.parameters();
  const race::matrix<double> image{{1, 2}};
  const std::vector<std::uint8_t> label{0};
  const auto gradient = [&](const vector& at) {
    for (Eigen::Index i = 0; i < 9; ++i) (i < 6 ? parameters[0].data[i] : parameters[1].data[i - 6]) = at[i];
    net.backward(image, label);
    vector g(9);
    for (Eigen::Index i = 0; i < 9; ++i) {
      const auto at_i = static_cast<std::size_t>(i);
      g[i] = i < 6 ? net.gradients()[0][at_i] : net.gradients()[1][at_i - 6];
    }
    return g;
  };
  const vector direction{{1, 0, 0, 1, -1, 2, 0.5, 0, 0}};  // outputs: 1 + 0.5, 2 and 3
  const double third = 1.0 / 3, mean = 6.5 / 3;
  const vector q{{third * (1.5 - mean), third * (2 - mean), third * (3 - mean)}};
  const vector expected{{q[0], 2 * q[0], q[1], 2 * q[1], q[2], 2 * q[2], q[0], q[1], q[2]}};
  CHECK((central_difference(gradient, vector::Zero(9), direction) - expected).norm() < 1e-9);
  // Its eigenvalues are ⅓·(‖x‖² + 1) = 2, twice, and seven zeros.
  const auto found =
      top_eigenpairs([&](const vector& d) { return central_difference(gradient, vector::Zero(9), d); }, 9, 3, 1e-8);
  CHECK(found.curvatures[0] == Approx(2));
  CHECK(found.curvatures[1] == Approx(2));
  CHECK(std::abs(found.curvatures[2]) < 1e-6);
}

TEST_CASE("what no Hessian has is refused") {
  const auto product = [](const vector& d) { return d; };
  const auto message = [&](Eigen::Index dimension, Eigen::Index k) -> std::string {
    try {
      static_cast<void>(top_eigenpairs(product, dimension, k));
    } catch (const error& e) {
      return e.what();
    }
    return "";
  };
  CHECK(message(4, 0) == "[valley] Expected 1 to 3 eigenvectors. Received 0.");
  CHECK(message(4, 4) == "[valley] Expected 1 to 3 eigenvectors. Received 4.");
  const auto undefined = [](const vector& d) -> vector { return d * std::nan(""); };
  CHECK_THROWS_WITH_AS(static_cast<void>(top_eigenpairs(undefined, 30, 2)),
                       "[valley] Expected a finite product of Hessian and vector. Received NaN or infinity.", error);
}
