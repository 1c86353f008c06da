#include <thalweg/orthogonalization/coefficient_set.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include <thalweg/core/text.hpp>

namespace thalweg {

namespace {

double value(const quintic& p, double x) { return x * (p.a + x * x * (p.b + x * x * p.c)); }
quintic times(double s, const quintic& p) { return {s * p.a, s * p.b, s * p.c}; }

/// Solves four linear equations, each a row with its right side last.
std::array<double, 4> solved(std::array<std::array<double, 5>, 4> rows) {
  for (std::size_t k = 0; k < 4; ++k) {
    const auto pivot = std::max_element(rows.begin() + static_cast<std::ptrdiff_t>(k), rows.end(), [k](const auto& a, const auto& b) {
      return std::abs(a[k]) < std::abs(b[k]);
    });
    std::swap(rows[k], *pivot);
    for (std::size_t i = 0; i < 4; ++i) {
      if (i == k) continue;
      const double factor = rows[i][k] / rows[k][k];
      for (std::size_t j = k; j < 5; ++j) rows[i][j] -= factor * rows[k][j];
    }
  }
  return {rows[0][4] / rows[0][0], rows[1][4] / rows[1][1], rows[2][4] / rows[2][2], rows[3][4] / rows[3][3]};
}

/// The odd polynomial of degree five that is closest to 1 on [low, high]. It is 1 - e, 1 + e, 1 - e and 1 + e at low, at its
/// two extremes and at high (Remez: solve for the polynomial, move the points to its extremes, again).
quintic closest_quintic(double low, double high) {
  if (low >= (1 - 5e-6) * high) return {15 / (8 * high), -10 / (8 * std::pow(high, 3)), 3 / (8 * std::pow(high, 5))};  // the limit
  double first = (3 * low + high) / 4, second = (low + 3 * high) / 4, error = 2;
  for (int i = 0; i < 50; ++i) {
    std::array<std::array<double, 5>, 4> rows{};
    double sign = 1;
    for (std::size_t k = 0; k < 4; ++k, sign = -sign) {
      const double x = std::array{low, first, second, high}[k];
      rows[k] = {x, x * x * x, x * x * x * x * x, sign, 1};
    }
    const auto [a, b, c, e] = solved(rows);
    const double root = std::sqrt(9 * b * b - 20 * a * c);
    first = std::sqrt((-3 * b - root) / (10 * c)), second = std::sqrt((-3 * b + root) / (10 * c));
    if (std::abs(e - std::exchange(error, e)) <= 1e-15 || i == 49) return {a, b, c};
  }
  return {};
}

/// Of degree three: 1 - e, 1 + e and 1 - e at low, at its extreme and at high.
quintic closest_cubic(double low, double high) {
  const double s = low * low + low * high + high * high;
  const double a = 2 / (low - low * low * low / s + 2 * std::sqrt(s / 3) / 3);
  return {a, -a / s, 0};
}

/// Steps for singular values in [lower, 1]. A step looks at [cushion · high, high] at least, so that it does not become too
/// steep; it is then scaled so that its values lie around 1 again.
coefficient_set computed(std::string_view name, double lower, degree d, double cushion) {
  coefficient_set set{name, {}, coefficient_set::most};
  set.lower = lower;
  double low = lower, high = 1;
  for (quintic& step : set.steps) {
    const double from = std::max(low, cushion * high);
    step = d == degree::five ? closest_quintic(from, high) : closest_cubic(from, high);
    if (d == degree::five) step = times(2 / (value(step, low) + value(step, high)), step);
    low = value(step, low), high = 2 - low;
  }
  return set;
}

}  // namespace

polar_express_for::operator coefficient_set() const {
  check_fields("polar_express_for", *this);
  constexpr double authors_cushion = 0.02407327424182761;
  // 1.01 in all steps, of which any may be the last. The published set leaves it out in its fifth.
  return computed("polar_express_for", lower, degree::five, authors_cushion).with_margin(1.01);
}

cans_for::operator coefficient_set() const {
  check_fields("cans_for", *this);
  coefficient_set set = computed("cans_for", lower, degree, 0);
  set.margin = cans.margin;
  return set;
}

polynomials::operator coefficient_set() const {
  check_fields("polynomials", *this);
  const std::string& text = steps;
  const auto refuse = [&] {
    throw error("polynomials", "Expected 1 to ", coefficient_set::most, " steps of two or three finite numbers, as in "
                "\"3.4445 -4.775 2.0315; 1.5 -0.5\". Received ", quotation(text), ".");
  };
  coefficient_set set{"", {}, 0};
  set.margin = margin;
  std::istringstream all(text);
  for (std::string step; std::getline(all, step, ';'); ++set.count) {
    if (set.count == coefficient_set::most) refuse();
    std::array<double, 3> numbers{};
    std::size_t count = 0;
    std::istringstream words(step);
    for (std::string word; words >> word; ++count) {
      double number = 0;
      const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), number);
      if (failure != std::errc() || end != word.data() + word.size() || !std::isfinite(number) || count == 3) refuse();
      numbers[count] = number;
    }
    if (count < 2) refuse();
    set.steps[set.count] = {numbers[0], numbers[1], numbers[2]};
  }
  if (set.count == 0) refuse();
  set.least = set.count;
  return set;
}

std::string to_text(const coefficient_set& set) {
  if (set.lower && set.name == "cans_for")
    return to_text(cans_for{*set.lower, set.steps[0].c == 0 ? degree::three : degree::five});
  if (set.lower) return to_text(polar_express_for{*set.lower});
  if (!set.name.empty()) return std::string(set.name);
  std::string steps;
  for (std::size_t i = 0; i < set.count; ++i) {
    const auto& [a, b, c] = set.steps[i];
    steps += in_words(i ? "; " : "", a, " ", b);
    if (c != 0) steps += in_words(" ", c);
  }
  return to_text(polynomials{steps, set.margin});
}

}  // namespace thalweg
