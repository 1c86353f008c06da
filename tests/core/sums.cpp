// What a reduction sums up: against long double, at every length around its eight lanes, at every alignment.
#include <thalweg/transforms.hpp>

#include <array>
#include <cmath>
#include <cstddef>
#include <limits>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;

namespace {

// Three sums, of which one counts: what is not of the array must not be counted.
constexpr auto terms = []<class V>(element<V> e) { return sums(e.update * e.gradient, abs(e.parameter), V(1)); };
constexpr detail::bound_reduction<3, 0, decltype(terms)> reduction{terms};

// n numbers from `offset` on, NaN around them.
template <class T>
std::vector<T> among_nan(std::size_t offset, std::size_t n, unsigned seed) {
  std::vector<T> values(offset + n + 16, std::numeric_limits<T>::quiet_NaN());
  for (std::size_t i = 0; i < n; ++i) values[offset + i] = static_cast<T>(test::noise(seed, i));
  return values;
}

template <class Passes, class T, class Bound>
auto sums_of(const Passes& passes, std::size_t n, const T* u, const T* g, const T* p, const Bound& bound) {
  std::array<double, Bound::count * detail::sum_lanes> lanes{};
  passes.reduce(n, detail::arrays<T>{g, u, nullptr, const_cast<T*>(p), nullptr}, lanes.data(), bound);  // only reads
  std::array<double, Bound::count> all{};
  for (std::size_t k = 0; k < lanes.size(); ++k) all[k / detail::sum_lanes] += lanes[k];
  return all;
}

}  // namespace

TEST_CASE_TEMPLATE("sums are of the whole array and of nothing beside it", T, float, double) {
  for (std::size_t n = 0; n < 4 * 8; ++n)
    for (std::size_t offset = 0; offset < 9; ++offset) {
      CAPTURE(n);
      CAPTURE(offset);
      const auto u = among_nan<T>(offset, n, 1), g = among_nan<T>(0, n, 2), p = among_nan<T>(offset / 2, n, 3);
      const auto fused = sums_of(detail::fused_passes(), n, u.data() + offset, g.data(), p.data() + offset / 2, reduction),
                 plain = sums_of(detail::unfused_passes(), n, u.data() + offset, g.data(), p.data() + offset / 2, reduction);
      long double products = 0, magnitudes = 0;
      for (std::size_t i = 0; i < n; ++i) {
        products += static_cast<long double>(u[offset + i]) * g[i];
        magnitudes += std::abs(static_cast<long double>(p[offset / 2 + i]));
      }
      CHECK(std::abs(fused[0] - static_cast<double>(products)) <= 1e-14);
      CHECK(std::abs(fused[1] - static_cast<double>(magnitudes)) <= 1e-14);
      CHECK(fused[2] == static_cast<double>(n));
      CHECK(fused == plain);  // one order of adding, whatever the registers
    }
}

TEST_CASE("a sum of floats loses nothing that a double holds") {
  std::vector<float> u(1000, 0x1p-12f);
  u[0] = 0x1p12f;
  const auto squares = [](auto e) { return e.update * e.update; };
  const detail::bound_reduction<1, 0, decltype(squares)> of_squares{squares};
  CHECK(sums_of(detail::fused_passes(), u.size(), u.data(), u.data(), u.data(), of_squares)[0] == 0x1p24 + 999 * 0x1p-24);
}

TEST_CASE("one NaN or infinity is in the sum, wherever it stands") {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()})
    for (std::size_t at = 0; at < 21; ++at) {
      std::vector<float> u(21, 1.0f);
      u[at] = bad;
      const auto sum = sums_of(detail::fused_passes(), u.size(), u.data(), u.data(), u.data(), reduction);
      CHECK(!std::isfinite(sum[0]));
      CHECK(sum[2] == 21);
    }
}
