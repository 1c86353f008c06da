// std::span and std::vector as parameters.
#include <doctest/doctest.h>

#include <span>
#include <vector>

#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

using namespace thalweg;

TEST_CASE("a vector or span is a parameter in place") {
  std::vector<float> w(12, 1), b(3, 1);
  const auto matrix = as_parameter("w", w, {3, 4}, role::head);
  CHECK(matrix.data == w.data());
  CHECK(matrix.shape == std::vector<std::size_t>{3, 4});
  CHECK(matrix.role == role::head);
  CHECK(as_parameter("b", b).shape == std::vector<std::size_t>{3});
  CHECK(as_parameter("part", std::span(w).subspan(4, 4)).data == w.data() + 4);

  auto opt = optimizer(apply_update{}, std::vector{matrix, as_parameter("b", b)}, {.lr = 0.5});
  opt.step({std::vector<float>(12, 1), std::vector<float>(3, -1)});
  CHECK(w == std::vector<float>(12, 0.5f));
  CHECK(b == std::vector<float>(3, 1.5f));
}

TEST_CASE("values that do not fill the shape are refused") {
  std::vector<double> w(12);
  CHECK_THROWS_WITH_AS(as_parameter("w", w, {5, 5}),
                       "[as_parameter] Expected the 25 elements of shape (5, 5) for 'w'. Received 12.",
                       error);
}
