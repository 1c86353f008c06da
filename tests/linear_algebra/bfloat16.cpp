// Blocks of bfloat16 against loops in double, by every unit that this processor has.
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

#include "../../src/linear_algebra/bfloat16.hpp"
#include "dense.hpp"

namespace {

using namespace thalweg::linear_algebra::bfloat16;

std::vector<float> noise(std::size_t n, unsigned seed) {
  std::mt19937 bits(seed);
  std::vector<float> m(n);
  for (float& x : m) x = static_cast<float>(bits()) * 0x1p-31f - 1;
  return m;
}

double difference(const std::vector<float>& found, const dense& expected) {
  dense apart = expected;
  for (std::size_t i = 0; i < found.size(); ++i) apart.numbers[i] -= static_cast<double>(found[i]);
  return apart.norm() / expected.norm();
}

// Memory for a chain of matrices, aligned as they want it, with a sentinel behind.
class memory {
  std::vector<std::byte> bytes_;
  std::byte* first_;
  std::size_t used_ = 0;
  static constexpr std::byte sentinel{0x5a};

public:
  explicit memory(std::size_t size) : bytes_(size + 128, sentinel), first_(bytes_.data()) {
    first_ += (64 - reinterpret_cast<std::uintptr_t>(first_) % 64) % 64;
  }
  void* take(std::size_t size) { return first_ + std::exchange(used_, used_ + size); }
  [[nodiscard]] bool untouched_behind() const { return first_[used_] == sentinel && first_[used_ + 63] == sentinel; }
};

struct given {
  thalweg::linear_algebra::bfloat16::unit unit;
  thalweg::linear_algebra::bfloat16::form form;
};

// x → gram → square of it → (square + shift)·x, as the iteration goes about it.
void check(given g, std::size_t rows, std::size_t cols, bool is_transposed) {
  CAPTURE(rows);
  CAPTURE(cols);
  CAPTURE(is_transposed);
  const double within = g.form == form::rounded ? 4e-3 : 5e-5;

  std::vector<float> data = noise(rows * cols, 1);
  dense x{rows, cols};
  if (is_transposed) std::swap(x.rows, x.cols);
  x.numbers.assign(data.begin(), data.end());
  if (is_transposed) x = transposed(x);
  for (double& number : x.numbers) number *= 0.25;

  const std::size_t square = bytes(g.form, rows, rows);
  memory m(bytes(g.form, rows, cols) + 3 * square + workspace_bytes(g.form, rows, cols));
  const auto take = [&](std::size_t r, std::size_t c) {
    return blocks{static_cast<bits*>(m.take(bytes(g.form, r, c))), r, c};
  };
  const blocks wide = take(rows, cols), r = take(rows, rows), w = take(rows, rows), spare = take(rows, rows);
  const arithmetic how{g.unit, g.form, m.take(workspace_bytes(g.form, rows, cols))};

  load(how, {data.data(), is_transposed}, 0.5f, wide);
  const double squares = x.norm() * x.norm();
  const double mean = gram(how, wide, squares, r);
  CHECK(mean == doctest::Approx(squares / static_cast<double>(rows)).epsilon(1e-5));
  dense expected_r = x * transposed(x);
  for (std::size_t i = 0; i < rows; ++i) expected_r(i, i) -= mean;

  // w = 2·r² + 0.5·r − 1·r, less its mean
  const double w_mean = symmetric_product(how, 2, r, r, 0.5f, r, -1, r, w);
  dense expected_w = expected_r * expected_r;
  for (std::size_t i = 0; i < rows * rows; ++i) expected_w.numbers[i] = 2 * expected_w.numbers[i] - 0.5 * expected_r.numbers[i];
  double trace = 0;
  for (std::size_t i = 0; i < rows; ++i) trace += expected_w(i, i);
  CHECK(std::abs(w_mean - trace / static_cast<double>(rows)) <= 0.02 * std::abs(trace) / static_cast<double>(rows) + 1e-2);
  for (std::size_t i = 0; i < rows; ++i) expected_w(i, i) -= w_mean;

  // spare = w·r is symmetric too, for both are polynomials in one matrix
  const double spare_mean = symmetric_product(how, 1, w, r, 0, r, 0, r, spare);
  dense expected_spare = expected_w * expected_r;
  for (std::size_t i = 0; i < rows; ++i) expected_spare(i, i) -= spare_mean;

  // x ← w·x + 3·x, then the result ← 0.5·(spare·x − x)
  dense expected_x = expected_w * x;
  for (std::size_t i = 0; i < rows * cols; ++i) expected_x.numbers[i] += 3 * x.numbers[i];
  CHECK(apply(how, w, 3, wide) == doctest::Approx(expected_x.norm() * expected_x.norm()).epsilon(0.02));
  dense expected = expected_spare * expected_x;
  for (std::size_t i = 0; i < rows * cols; ++i) expected.numbers[i] = 0.5 * (expected.numbers[i] - expected_x.numbers[i]);
  if (is_transposed) expected = transposed(expected);
  finish(how, spare, -1, 0.5f, wide, {data.data(), is_transposed});
  CHECK(difference(data, expected) < within * 4);
  CHECK(m.untouched_behind());
}

std::vector<given> units() {
  std::vector<given> found;
  for (const auto form : {form::rounded, form::whole}) {
    if (available() != unit::absent) found.push_back({unit::dots, form});
    if (available() == unit::tiles) found.push_back({unit::tiles, form});
  }
  return found;
}

}  // namespace

// A processor that lacks the unit skips a case, and says so.
TEST_CASE("blocks of bfloat16 are multiplied as the textbook says, at every size around a block" *
          doctest::skip(available() == unit::absent)) {
  constexpr std::size_t sizes[][2] = {{1, 1},   {1, 40},  {15, 17}, {16, 16},  {17, 31},  {31, 32},
                                      {32, 32}, {33, 33}, {40, 97}, {64, 200}, {65, 130}, {70, 1700}};
  for (const given& g : units()) {
    CAPTURE(static_cast<int>(g.unit));
    CAPTURE(static_cast<int>(g.form));
    for (const auto& [rows, cols] : sizes)
      for (const bool is_transposed : {false, true}) check(g, rows, cols, is_transposed);
  }
}

TEST_CASE("more rows of blocks than the sums of which stay in cache" * doctest::skip(available() != unit::tiles)) {
  for (const given& g : units())
    if (g.unit == unit::tiles) check(g, 800, 1601, false);
}

TEST_CASE("a sum of squares is that of doubles" * doctest::skip(available() == unit::absent)) {
  for (std::size_t n = 0; n < 70; ++n) {
    const auto x = noise(n, 9);
    double sum = 0;
    for (const float v : x) sum += static_cast<double>(v) * static_cast<double>(v);
    CHECK(sum_of_squares(x.data(), n) == doctest::Approx(sum).epsilon(1e-14));
  }
}
