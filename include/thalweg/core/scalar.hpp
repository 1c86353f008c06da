// The functions of kernels, for one float or double: for hyper-parameters and in static_assert.
//
// Kernels call them without a namespace. They are thalweg's own, because the standard ones set `errno`, which prevents
// vectorisation at plain -O2, and are not constexpr.
#pragma once

#include <cmath>
#include <concepts>
#include <limits>
#include <numbers>
#include <type_traits>

#if defined(__SSE2__) && !defined(__CUDA_ARCH__)  // what sums make of a chain is computed on the device that has them
#define THALWEG_SSE2
#include <emmintrin.h>
#endif

namespace thalweg {

namespace detail {
constexpr double exp_series(double x) {
  const double small = x / 1024;  // exp(x) = exp(x/1024)^1024
  double term = 1, sum = 1;
  for (int n = 1; n < 12; ++n) sum += (term *= small / n);
  for (int n = 0; n < 10; ++n) sum *= sum;
  return sum;
}
constexpr double log_series(double x) {
  double y = 0;
  for (; x > 2; x /= 2) y += std::numbers::ln2;
  for (; x < 0.5; x *= 2) y -= std::numbers::ln2;
  const double q = (x - 1) / (x + 1);  // log x = 2 artanh q
  double power = q, sum = 0;
  for (int n = 1; n < 60; n += 2, power *= q * q) sum += power / n;
  return y + 2 * sum;
}
constexpr double cos_series(double x) {
  double term = 1, sum = 1;
  for (int n = 1; n < 24; ++n) sum += (term *= -x * x / ((2 * n - 1) * (2 * n)));
  return sum;
}
}  // namespace detail

/// base^exponent, also in constant expressions. (A template, like all here: beside the global ones of <math.h> it is
/// not ambiguous.)
template <std::floating_point T>
constexpr T pow(T base, std::type_identity_t<T> exponent) {
  if (!std::is_constant_evaluated()) return std::pow(base, exponent);
  if (exponent == 0) return 1;
  if (base == 0) return 0;
  T result = 1;
  if (exponent == static_cast<long>(exponent) && exponent > 0 && exponent < 1e6) {
    for (auto n = static_cast<long>(exponent);; base *= base) {
      if (n % 2) result *= base;
      if ((n /= 2) == 0) return result;
    }
  }
  return static_cast<T>(detail::exp_series(exponent * detail::log_series(base)));
}

/// 1 - base^exponent for base in [0, 1) and exponent > 0, precise also for base near 1: the bias correction of Adam,
/// for an average of `exponent` values that starts at zero.
template <std::floating_point T>
constexpr T one_minus_pow(T base, std::type_identity_t<T> exponent) {
  if (std::is_constant_evaluated()) return 1 - thalweg::pow(base, exponent);
  return base > 0 ? -std::expm1(exponent * std::log(base)) : T(1);
}

/// cos x, also in constant expressions (there for |x| <= 2π).
template <std::floating_point T>
constexpr T cos(T x) {
  return std::is_constant_evaluated() ? static_cast<T>(detail::cos_series(x)) : std::cos(x);
}

template <std::floating_point T>
constexpr T sqrt(T x) {
  if (std::is_constant_evaluated()) {
    if (!(x > 0) || x == std::numeric_limits<T>::infinity())
      return x == 0 || x > 0 ? x : std::numeric_limits<T>::quiet_NaN();
    T root = x > 1 ? x : T(1);  // Newton from above falls until rounding stops it
    for (T next = (root + x / root) / 2; next < root; next = (root + x / root) / 2) root = next;
    return root;
  }
#ifdef THALWEG_SSE2  // std::sqrt would branch to set errno
  if constexpr (std::is_same_v<T, float>) return _mm_cvtss_f32(_mm_sqrt_ss(_mm_set_ss(x)));
  if constexpr (std::is_same_v<T, double>) return _mm_cvtsd_f64(_mm_sqrt_sd(_mm_setzero_pd(), _mm_set_sd(x)));
#endif
  return std::sqrt(x);
}

template <std::floating_point T>
constexpr T abs(T x) {
  return x < 0 ? -x : x == 0 ? T(0) : x;
}

template <std::floating_point T>
constexpr T min(T a, std::type_identity_t<T> b) {
  return b < a ? b : a;
}

template <std::floating_point T>
constexpr T max(T a, std::type_identity_t<T> b) {
  return a < b ? b : a;
}

/// Neither infinite nor NaN. A comparison: x - x == 0 would be false for a product that the compiler fuses with the difference.
template <std::floating_point T>
constexpr bool is_finite(T x) {
  return abs(x) <= std::numeric_limits<T>::max();
}

/// -1, 0 or 1; NaN stays NaN.
template <std::floating_point T>
constexpr T sign(T x) {
  return x > 0 ? T(1) : x < 0 ? T(-1) : x;
}

/// `condition ? a : b`, without a branch.
template <std::floating_point T>
constexpr T where(bool condition, T a, std::type_identity_t<T> b) {
  return condition ? a : b;
}

/// x, limited to ±share·2^63 (float) or ±share·2^490 (double), so that its square is finite. Infinity becomes NaN.
///
/// A transform that divides by the root of squares computes a ratio. It uses this limited gradient everywhere. Then its
/// result is correct for a single larger gradient, and for any number of equal ones.
template <std::floating_point T>
constexpr T squarable(T x, double share = 1) {
  const T longest = static_cast<T>(share * (std::numeric_limits<T>::max_exponent > 128 ? 0x1p490 : 0x1p63));
  return min(max(x, -longest), longest) + 0 * x;
}

/// A double as a T. A finite number stays finite: beyond T's range it becomes T's largest number. So a factor that
/// overflows float shortens a step, and does not make it NaN.
template <std::floating_point T>
constexpr T saturated(double x) {
  constexpr double most = std::numeric_limits<T>::max();
#ifdef THALWEG_SSE2
  if constexpr (sizeof(T) < sizeof x) {
    // In instructions that g++ takes out of a loop, as it does with no comparison that may trap. What is added is nothing,
    // unless x is infinite.
    if (!std::is_constant_evaluated()) {
      const auto within = _mm_min_pd(_mm_set1_pd(most), _mm_max_pd(_mm_set1_pd(-most), _mm_set1_pd(x)));
      return static_cast<T>(_mm_cvtsd_f64(within)) + static_cast<T>(x * 0x1p-1000);
    }
  }
#endif
  return static_cast<T>(x - x == 0 ? min(max(x, -most), most) : x);
}

/// (1 - weight)·a + weight·b, computed as (b - s·b) + s·a with s = 1 - weight, which is rounded once, from double. It is
/// exactly a or b where the weight is 0 or 1, and finite between finite numbers. One s takes and gives, so a slow average
/// does not drift.
template <std::floating_point T>
constexpr T lerp(T a, std::type_identity_t<T> b, double weight) {
  const T s = saturated<T>(1 - weight);
  return (b - s * b) + s * a;
}

}  // namespace thalweg

#undef THALWEG_SSE2
