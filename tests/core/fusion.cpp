// The fused engine against the unfused one, and against itself: at every length, at every alignment.
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include <cstddef>
#include <span>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

// Element-wise kernels with a square root, divisions and four state arrays, in one pass.
constexpr auto one_pass = scale_by_adam{.beta1 = 0.8} | nesterov_ema{.beta = 0.5} | decay_weights{} |
                          update_by_schedule_free{.beta = 0.75};

// A barrier of each kind between them.
constexpr auto negate = tensorwise("negate", [](auto u) noexcept {
  for (auto& x : u.values()) x = -x;
});
constexpr auto with_barriers = scale_by_adam{.beta1 = 0.8} | clip_by_global_norm{.max_norm = 0.5} | negate |
                               nesterov_ema{.beta = 0.5} | decay_weights{} |
                               update_by_schedule_free{.beta = 0.75};

options hyper() { return {.lr = 0.0625, .weight_decay = 0.1, .warmup_steps = 3, .parallel = sequential()}; }

// A parameter somewhere in a larger array, with sentinels before and behind it; its gradient elsewhere in
// another.
template <class T>
struct placed {
  std::vector<T> values, gradient;
  std::size_t offset, n;
  placed(std::size_t offset_, std::size_t n_)
      : values(n_ + 64, T(7)), gradient(n_ + 64, T(9)), offset(offset_), n(n_) {
    for (std::size_t j = 0; j < n; ++j) values[offset + j] = static_cast<T>(test::noise(1, j));
  }
  template <class Given>
  std::vector<T> trained(const Given& given, options o) {
    auto opt = optimizer(
        given, std::vector<parameter<T>>{{.name = "w", .shape = {n}, .data = values.data() + offset}}, o);
    for (std::uint64_t t = 1; t <= 4; ++t) {
      const std::size_t elsewhere = 31 - offset;
      for (std::size_t j = 0; j < n; ++j) gradient[elsewhere + j] = static_cast<T>(test::noise(100 + t, j));
      opt.step({std::span<const T>(gradient).subspan(elsewhere, n)});
    }
    for (std::size_t j = 0; j < values.size(); ++j)
      if (j < offset || j >= offset + n) CHECK(values[j] == T(7));
    const auto first = values.begin() + static_cast<std::ptrdiff_t>(offset);
    return {first, first + static_cast<std::ptrdiff_t>(n)};
  }
};

template <class T>
std::size_t width() { return xsimd::batch<T>::size; }

}  // namespace

TEST_CASE_TEMPLATE("fused and unfused agree at every length, and write nothing beyond it", T, float, double) {
  const double tolerance = sizeof(T) == 4 ? 2e-6 : 1e-14;
  for (std::size_t n = 1; n <= 4 * width<T>() + 1; ++n) {
    CAPTURE(n);
    const auto fused = placed<T>(0, n).trained(one_pass, hyper());
    const auto slow = placed<T>(0, n).trained(unfused(one_pass), hyper());
    CHECK(test::distance<T, T>({fused}, {slow}) < tolerance);
  }
}

TEST_CASE("fused and unfused agree across barriers") {
  const double tolerance = 2e-6;
  model<float> m(test::small_layers()), n(test::small_layers());
  auto fused = optimizer(with_barriers, m.parameters(), hyper());
  auto slow = optimizer(unfused(with_barriers), n.parameters(), hyper());
  m.train(fused, 1, 10);
  n.train(slow, 1, 10);
  CHECK(test::distance(m.values, n.values) < tolerance);
  auto x = fused.evaluation_point();
  auto slow_x = slow.evaluation_point();
  CHECK(test::distance(m.values, n.values) < tolerance);
}

TEST_CASE_TEMPLATE("a step's result does not depend on where in memory the arrays lie", T, float, double) {
  for (const std::size_t n : {std::size_t{1}, width<T>() - 1, width<T>(), width<T>() + 1, std::size_t{77}}) {
    const auto aligned = placed<T>(0, n).trained(one_pass, hyper());
    for (std::size_t offset = 1; offset < 32; offset += offset < 9 ? 1 : 5) {
      CAPTURE(offset);
      CHECK(same_bits(placed<T>(offset, n).trained(one_pass, hyper()), aligned));
    }
  }
}

TEST_CASE_TEMPLATE("an element's result does not depend on its place in the array, in a register or in the rest", T, float, double) {
  const std::size_t n = 5 * width<T>() + 3;
  std::vector<T> values(n), gradient(n);
  for (std::size_t j = 0; j < n; ++j) {
    values[j] = static_cast<T>(0.7);
    gradient[j] = static_cast<T>(-0.3);
  }
  auto opt = optimizer(
      one_pass, std::vector<parameter<T>>{{.name = "w", .shape = {n}, .data = values.data()}}, hyper());
  for (int t = 0; t < 5; ++t) opt.step({gradient});
  for (std::size_t j = 1; j < n; ++j) CHECK(values[j] == values[0]);
}

TEST_CASE("float follows double") {
  model<float> m(test::small_layers());
  model<double> n(test::small_layers());
  auto opt = optimizer(one_pass, m.parameters(), hyper());
  auto exact = optimizer(one_pass, n.parameters(), hyper());
  m.train(opt, 1, 10);
  n.train(exact, 1, 10);
  CHECK(test::distance(m.values, n.values) < 1e-5);
}
