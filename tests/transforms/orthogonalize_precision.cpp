// orthogonalize_update against the iteration written out in double, in each precision, and where inputs are extreme.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "../linear_algebra/spectra.hpp"

namespace {

using namespace thalweg;

dense long_hand(const dense& u, const coefficient_set& set, long steps) {
  if (u.rows > u.cols) return transposed(long_hand(transposed(u), set, steps));
  dense x = u;
  const double norm = u.norm() + 1e-7;
  for (double& v : x.numbers) v /= norm;
  return newton_schulz(x, set, steps);
}

template <class T>
dense orthogonalized(const dense& u, const orthogonalize_update& transform) {
  const parameter_info info{.name = "w", .shape = {u.rows, u.cols}};
  std::vector<T> numbers(u.numbers.begin(), u.numbers.end()), scratch(transform.scratch(info) + 2, T(-7));
  transform.apply(context{}, tensor<T>{numbers.data(), info.shape, storage_order::row_major, info.name},
                  std::span<T>(scratch).subspan(1, scratch.size() - 2));
  CHECK(scratch.front() == T(-7));
  CHECK(scratch.back() == T(-7));
  dense result{u.rows, u.cols};
  std::copy(numbers.begin(), numbers.end(), result.numbers.begin());
  return result;
}

// ‖x·xᵀ − I‖_F of the short side
double from_orthogonal(const dense& x) {
  dense gram = x.rows > x.cols ? transposed(x) * x : x * transposed(x);
  for (std::size_t i = 0; i < gram.rows; ++i) gram(i, i) -= 1;
  return gram.norm();
}

struct extent {
  std::size_t rows, cols;
};
const std::array<extent, 12> shapes{{{2, 2}, {1, 9}, {9, 1}, {16, 16}, {17, 33}, {64, 64},
                                                         {65, 64}, {48, 160}, {160, 48}, {96, 97}, {70, 290}, {290, 70}}};

}  // namespace

TEST_CASE("orthogonalize_update: double and float32 are the iteration, for every shape, spectrum and set") {
  for (const extent& shape : shapes)
    for (const auto* set : {&jordan, &polar_express, &heavyball, &cans})
      for (const auto& u : {noise(shape.rows, shape.cols), low_rank(shape.rows, shape.cols),
                            ill_conditioned(shape.rows + 1, shape.cols + 1)}) {
        const std::size_t rows = shape.rows, cols = shape.cols;
        CAPTURE(rows);
        CAPTURE(cols);
        CAPTURE(set->name);
        if (set == &cans && std::min(rows, cols) == 1) continue;  // a singular value of 1 is at its very edge
        const dense expected = long_hand(u, *set, 5);
        const orthogonalize_update transform{.scale = none{}, .coefficients = *set};
        CHECK(relative_difference(orthogonalized<double>(u, transform), expected) < 1e-10);
        CHECK(relative_difference(orthogonalized<float>(u, transform), expected) < 1e-3);
      }
}

TEST_CASE("orthogonalize_update: any number of steps") {
  const dense u = noise(70, 290);
  for (const long steps : {1, 2, 3, 4, 6, 7, 8, 12}) {
    CAPTURE(steps);
    const dense expected = long_hand(u, polar_express, steps);
    const orthogonalize_update transform{.scale = none{}, .coefficients = polar_express, .steps = steps};
    CHECK(relative_difference(orthogonalized<double>(u, transform), expected) < 1e-10);
    CHECK(relative_difference(orthogonalized<float>(u, transform), expected) < 1e-3);
    CHECK(relative_difference(orthogonalized<float>(transposed(u), transform), transposed(expected)) < 1e-3);
  }
}

TEST_CASE("orthogonalize_update: in bfloat16 as orthogonal as the exact iteration, and close to it") {
  for (const extent& shape : shapes) {
    const std::size_t rows = shape.rows, cols = shape.cols;
    if (std::min(rows, cols) < 2) continue;
    CAPTURE(rows);
    CAPTURE(cols);
    const dense u = noise(rows, cols), expected = long_hand(u, jordan, 5);
    const dense x = orthogonalized<float>(u, {.scale = none{}, .precision = precision::bfloat16});
    CHECK(relative_difference(x, expected) < 0.05);
    CHECK(from_orthogonal(x) < 1.05 * from_orthogonal(expected) + 0.02);
    for (const auto& hard : {low_rank(rows, cols), ill_conditioned(rows, cols)})
      CHECK(relative_difference(orthogonalized<float>(hard, {.scale = none{}, .precision = precision::bfloat16}),
                                long_hand(hard, jordan, 5)) < 0.1);
  }
  const dense u = noise(20, 30);
  CHECK(orthogonalized<double>(u, {.precision = precision::bfloat16}).numbers == orthogonalized<double>(u, {}).numbers);
  CHECK(orthogonalized<float>(u, {.precision = precision::float16}).numbers == orthogonalized<float>(u, {}).numbers);  // not here
}

TEST_CASE("orthogonalize_update: zero, rank one, tiny, huge, NaN") {
  for (const auto p : {precision::float32, precision::bfloat16})
    for (const extent& shape : shapes) {
      const std::size_t rows = shape.rows, cols = shape.cols;
      CAPTURE(to_text(p));
      CAPTURE(rows);
      CAPTURE(cols);
      const orthogonalize_update transform{.scale = none{}, .precision = p};
      const double tolerance = p == precision::float32 ? 1e-3 : 0.05;
      const dense u = noise(rows, cols), zero{rows, cols};
      CHECK(orthogonalized<float>(zero, transform).norm() == 0);

      const dense one = noise(rows, 1) * noise(1, cols);  // rounding fills the other directions a little
      CHECK(relative_difference(orthogonalized<float>(one, transform), long_hand(one, jordan, 5)) < 6 * tolerance);

      const dense huge = noise(rows, cols, 1e30), tiny = noise(rows, cols, 1e-30);
      CHECK(relative_difference(orthogonalized<float>(huge, transform), long_hand(huge, jordan, 5)) < 2 * tolerance);
      CHECK(orthogonalized<float>(tiny, transform).norm() < 1e-15);
      CHECK(relative_difference(orthogonalized<double>(tiny, transform), long_hand(tiny, jordan, 5)) < 1e-10);

      for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()}) {
        dense broken = u;
        broken.numbers[broken.numbers.size() / 2] = bad;
        const dense x = orthogonalized<float>(broken, transform);
        CHECK(std::ranges::all_of(x.numbers, [](double v) { return std::isnan(v); }));
      }
    }
}
