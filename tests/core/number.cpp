// The functions that kernels call, against the standard's, in every number type and in constant expressions.
#include <thalweg/core/registers.hpp>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <type_traits>

#include <doctest/doctest.h>

using thalweg::lanes;
using thalweg::number;

namespace {

template <class T>
using limits = std::numeric_limits<T>;

template <class T>
constexpr std::array<T, 24> values{T(0),
                                   T(-0.0),
                                   T(1),
                                   T(-1),
                                   T(2),
                                   T(0.25),
                                   T(-0.75),
                                   T(3),
                                   T(1e-3),
                                   T(1e10),
                                   T(-1e10),
                                   T(0.1),
                                   T(7.5),
                                   T(1e-30),
                                   T(1e30),
                                   T(1.9999999),
                                   limits<T>::min(),
                                   limits<T>::denorm_min(),
                                   -limits<T>::denorm_min(),
                                   limits<T>::max(),
                                   limits<T>::lowest(),
                                   limits<T>::infinity(),
                                   -limits<T>::infinity(),
                                   limits<T>::quiet_NaN()};

template <class T>
auto bits(T x) {
  return std::bit_cast<std::conditional_t<sizeof(T) == 4, std::uint32_t, std::uint64_t>>(x);
}
// Bit for bit, but for a NaN's payload and sign.
template <class T>
bool same(T a, T b) {
  return bits(a) == bits(b) || (std::isnan(a) && std::isnan(b));
}
// In units of the last place; of finite numbers of one sign.
template <class T>
auto ulps(T a, T b) {
  return bits(a) > bits(b) ? bits(a) - bits(b) : bits(b) - bits(a);
}

// A register whose every lane holds x, and what is in it.
template <class V, class T>
V filled(T x) {
  if constexpr (std::is_same_v<V, T>) return x;
  else return V(x);
}
template <class T>
T lane(T x) {
  return x;
}
template <class T>
T lane(number<T> x) {
  return x.value();
}
template <class T, class A>
T lane(number<xsimd::batch<T, A>> x) {
  const T first = x.value().get(0);
  for (std::size_t i = 1; i < xsimd::batch<T, A>::size; ++i) REQUIRE(same(first, T(x.value().get(i))));
  return first;
}

template <class V, class T>
void matches_the_standard() {
  using thalweg::abs, thalweg::lerp, thalweg::max, thalweg::min, thalweg::sign, thalweg::sqrt, thalweg::where;
  for (const T x : values<T>) {
    CAPTURE(x);
    const V v = filled<V>(x);
    CHECK(same(lane(sqrt(v)), std::sqrt(x)));
    CHECK(same(lane(abs(v)), std::abs(x)));
    CHECK(same(lane(sign(v)), std::isnan(x) ? x : x > 0 ? T(1) : x < 0 ? T(-1) : x));
    for (const T y : values<T>) {
      CAPTURE(y);
      const V w = filled<V>(y);
      CHECK(same(lane(min(v, w)), std::min(x, y)));
      CHECK(same(lane(max(v, w)), std::max(x, y)));
      CHECK(same(lane(where(v < w, v, w)), x < y ? x : y));
    }
    if (std::isfinite(x) && std::abs(x) < T(1e30)) {
      CHECK(lane(lerp(v, filled<V>(T(2)), 0)) == doctest::Approx(x));
      CHECK(lane(lerp(filled<V>(T(2)), v, 1)) == x);
      CHECK(lane(lerp(v, filled<V>(T(2)), 0.25)) == doctest::Approx(0.75 * x + 0.5));
    }
  }
}

}  // namespace

TEST_CASE("scalar functions agree with the standard's") {
  matches_the_standard<float, float>();
  matches_the_standard<double, double>();
}

TEST_CASE("functions of a one-lane number agree with the standard's") {
  matches_the_standard<number<float>, float>();
  matches_the_standard<number<double>, double>();
}

TEST_CASE("functions of a register agree with the standard's") {
  matches_the_standard<lanes<float>, float>();
  matches_the_standard<lanes<double>, double>();
}

TEST_CASE("sqrt is the correctly rounded one at run time") {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100000; ++i) {
    const double x = std::abs(std::bit_cast<double>(random()));
    const float y = std::abs(std::bit_cast<float>(static_cast<std::uint32_t>(random())));
    if (!same(thalweg::sqrt(x), std::sqrt(x))) FAIL(x);
    if (!same(thalweg::sqrt(y), std::sqrt(y))) FAIL(y);
  }
}

TEST_CASE("sqrt of a register is the correctly rounded one, whatever computes it") {
  constexpr std::size_t width = xsimd::batch<float>::size;
  std::size_t wrong = 0;
  const auto check = [&](std::uint32_t first, std::uint32_t stride) {
    float x[width], root[width];
    for (std::size_t i = 0; i < width; ++i) x[i] = std::bit_cast<float>(static_cast<std::uint32_t>(first + i * stride));
    sqrt(lanes<float>(xsimd::batch<float>::load_unaligned(x))).value().store_unaligned(root);
    for (std::size_t i = 0; i < width; ++i) wrong += !same(root[i], thalweg::sqrt(x[i]));
  };
  for (std::uint64_t b = 0; b < 1ull << 32; b += 8191 * width) check(static_cast<std::uint32_t>(b), 8191);
  for (std::uint32_t b = 0x3F800000; b < 0x40800000; b += 13 * width) check(b, 13);  // [1, 4): all that roots differ in
  CHECK(wrong == 0);
}

// ---- in constant expressions ----------------------------------------------------------------------

namespace {

template <class T>
struct pair_of {
  T of, result;
};
template <class T, class F>
consteval auto table(F f) {
  std::array<pair_of<T>, values<T>.size()> results{};
  for (std::size_t i = 0; i < results.size(); ++i) results[i] = {values<T>[i], f(values<T>[i])};
  return results;
}

static_assert(thalweg::sqrt(4.0) == 2);
static_assert(thalweg::sqrt(2.25f) == 1.5f);
static_assert(thalweg::abs(-3.0) == 3);
static_assert(thalweg::sign(-3.0f) == -1);
static_assert(thalweg::sign(0.0) == 0);
static_assert(thalweg::min(1.0, 2) == 1);
static_assert(thalweg::max(1.0, 2) == 2);
static_assert(thalweg::where(true, 1.0, 2) == 1);
static_assert(thalweg::lerp(1.0, 3.0, 0.5) == 2);
static_assert(thalweg::pow(2.0, 10) == 1024);
static_assert(thalweg::pow(0.5, 2) == 0.25);
static_assert(thalweg::pow(0.5f, 3) == 0.125f);
static_assert(thalweg::pow(3.0, 0) == 1);
static_assert(thalweg::pow(0.0, 2) == 0);
static_assert(thalweg::cos(0.0) == 1);
static_assert((number<double>(3.0) * 2 - 1).value() == 5);
static_assert(sqrt(number<double>(9.0)).value() == 3);
static_assert(lerp(number<float>(1.0f), number<float>(3.0f), 0.5).value() == 2);
static_assert(
    where(number<double>(1.0) < number<double>(2.0), number<double>(5.0), number<double>(6.0)).value() == 5);

template <class T>
void constant_square_roots() {
  constexpr auto results = table<T>([](T x) { return thalweg::sqrt(x); });
  for (const auto& r : results) {
    const T x = r.of, root = r.result;
    CAPTURE(x);
    if (std::isnan(std::sqrt(x)) || std::isinf(x) || x == 0) CHECK(same(root, std::sqrt(x)));
    else CHECK(ulps(root, std::sqrt(x)) <= 1);
  }
}

}  // namespace

TEST_CASE("sqrt in constant expressions is within one unit of the last place") {
  constant_square_roots<float>();
  constant_square_roots<double>();
}

TEST_CASE("pow in constant expressions is right to 1e-12") {
  struct example {
    double base, exponent, result;
  };
  constexpr auto results = [] {
    constexpr double bases[] = {1e-4, 0.01, 0.5, 0.6, 0.9, 0.95, 0.999, 1, 1.5, 2, 10, 12345};
    constexpr double exponents[] = {-2.5, -1, -0.5, 0, 0.1, 0.3, 0.5, 0.8, 1, 1.5, 2, 2.75, 7, 60};
    std::array<example, std::size(bases) * std::size(exponents)> all{};
    std::size_t i = 0;
    for (const double b : bases)
      for (const double e : exponents) all[i++] = {b, e, thalweg::pow(b, e)};
    return all;
  }();
  for (const example& e : results) {
    CAPTURE(e.base);
    CAPTURE(e.exponent);
    CHECK(std::abs(e.result / std::pow(e.base, e.exponent) - 1) < 1e-12);
  }
}

TEST_CASE("cos in constant expressions is right to 1e-13 up to 2π") {
  constexpr auto results = [] {
    std::array<pair_of<double>, 65> all{};
    for (int i = 0; i <= 64; ++i) {
      const double x = (i - 32) * std::numbers::pi / 16;
      all[static_cast<std::size_t>(i)] = {x, thalweg::cos(x)};
    }
    return all;
  }();
  for (const auto& r : results) CHECK(std::abs(r.result - std::cos(r.of)) < 1e-13);
}

TEST_CASE("at run time pow and cos are the standard's") {
  std::mt19937_64 random(2);
  std::uniform_real_distribution<double> bases(0, 3), exponents(-3, 3), angles(-100, 100);
  for (int i = 0; i < 1000; ++i) {
    const double b = bases(random), e = exponents(random), a = angles(random);
    CHECK(thalweg::pow(b, e) == std::pow(b, e));
    CHECK(thalweg::cos(a) == std::cos(a));
  }
  CHECK(std::isnan(thalweg::pow(limits<double>::quiet_NaN(), 2)));
  CHECK(thalweg::pow(0.0, 0) == 1);
}

TEST_CASE("arithmetic on registers is that of their lanes, and hyper-parameters convert on their own") {
  const auto check = [](auto one) {
    using V = decltype(one);
    const V x(3), y(4);
    const double beta = 0.5;
    CHECK(lane(x + y) == 7);
    CHECK(lane(x - y) == -1);
    CHECK(lane(x * y) == 12);
    CHECK(lane(x / y) == 0.75);
    CHECK(lane(-x) == -3);
    CHECK(lane(beta * x + (1 - beta) * y) == 3.5);
    CHECK(lane(2 * x) == 6);
    V z = x;
    CHECK(lane(z += y) == 7);
    CHECK(lane(z -= 1) == 6);
    CHECK(lane(z *= 2) == 12);
    CHECK(lane(z /= y) == 3);
    for (const bool holds : {lane(where(x < y, V(1), V(0))) == 1, lane(where(y > x, V(1), V(0))) == 1,
                             lane(where(x <= x, V(1), V(0))) == 1, lane(where(x >= x, V(1), V(0))) == 1,
                             lane(where(x == x, V(1), V(0))) == 1, lane(where(x != y, V(1), V(0))) == 1,
                             lane(where(x == y, V(1), V(0))) == 0})
      CHECK(holds);
  };
  check(number<float>(0));
  check(number<double>(0));
  check(lanes<float>(0));
  check(lanes<double>(0));
}

TEST_CASE("a factor that float cannot hold becomes its largest number") {
  constexpr float most = std::numeric_limits<float>::max();
  using thalweg::saturated;
  static_assert(saturated<float>(1e60) == most && saturated<float>(-1e60) == -most);
  static_assert(saturated<float>(0.1) == 0.1f && saturated<double>(1e300) == 1e300);
  static_assert(thalweg::number<float>(1e60).value() == most);
  CHECK(saturated<float>(std::numeric_limits<double>::infinity()) == std::numeric_limits<float>::infinity());
  CHECK(std::isnan(saturated<float>(std::numeric_limits<double>::quiet_NaN())));
}
