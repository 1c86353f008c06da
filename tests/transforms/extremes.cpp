// Every transform at the ends of the range of float. The expected values are computed in double.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/core/gradients_seen.hpp>
#include <thalweg/text.hpp>
#include <thalweg/transforms.hpp>

using namespace thalweg;

namespace {

constexpr double largest = std::numeric_limits<float>::max() / 4;  // momenta add up to four gradients

// Transforms that change updates, each before the end that subtracts the update; and the ends alone.
std::vector<std::string> chains() {
  std::vector<std::string> texts;
  const auto add = [&]<class Transform>() {
    if constexpr (!contextual<Transform> && !gate<Transform>) {
      const std::string text = text_of(detail::with_defaults<Transform>());
      texts.push_back(terminal<Transform> ? text : text + " | apply_update");
    }
  };
  [&]<class... T>(type_list<T...>) { (add.template operator()<T>(), ...); }(all_transforms());
  return texts;
}

// A parameter of 4 × 4 with elements near 1, after gradients of these sizes, whose signs make them a matrix of full rank.
template <class T>
std::vector<T> trained(const std::string& chain, const std::vector<double>& sizes) {
  std::vector<T> w(16), g(16);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = T(1) + T(i) / 16;
  optimizer<T> opt(parse(chain), {{.name = "w", .shape = {4, 4}, .data = w.data()}}, {.lr = 0.001});
  for (const double size : sizes) {
    for (std::size_t i = 0; i < g.size(); ++i) g[i] = static_cast<T>(i / 4 + i % 4 < 4 ? size : -size);
    opt.step({g}, {.loss = 1});
  }
  return w;
}

}  // namespace

TEST_CASE("every transform is right where squares leave float") {
  const std::vector<std::vector<double>> sequences{
      {1e20, 0, 0}, {1e20, 1e20, 1e20}, {largest, 0, 0}, {largest, largest, -largest},
      {1, 1e20, 1}, {1e-20, 1e-20, 1e-20}, {1e-30, -1e-30, 1e-30}, {1e-38, 1e-30, 1e-20}, {1e10, 1e-10, 1}};
  for (const std::string& chain : chains()) {
    // Where its rotated gradient is zero in exact arithmetic, SOAP divides one rounding error by another.
    if (chain.starts_with("scale_by_soap")) continue;
    // Its step is z - x times the gradient, and floats of 1 to 2 hold z - x only to 1e-3 of it.
    const double rounding = chain.starts_with("update_by_schedule_free_polyak") ? 2e-3 : 2e-5;
    for (const auto& sizes : sequences) {
      CAPTURE(chain);
      CAPTURE(sizes[0]);
      CAPTURE(sizes[1]);
      const auto in_double = trained<double>(chain, sizes);
      const auto in_float = trained<float>(chain, sizes);
      double longest = 1;
      for (const double x : in_double) longest = std::max(longest, std::abs(x));
      if (longest > largest / 4) continue;  // the right value is none that a float holds
      for (std::size_t i = 0; i < in_double.size(); ++i) CHECK(std::abs(in_float[i] - in_double[i]) <= rounding * longest);
    }
  }
}

// How far each step moves a float that starts at 0.
std::vector<double> steps(const std::string& chain, const std::vector<float>& gradients, double lr) {
  std::vector<double> moved;
  float w = 0;
  optimizer<float> opt(parse(chain), {{.name = "w", .shape = {1}, .data = &w}}, {.lr = lr});
  for (const float g : gradients) {
    w = 0;
    opt.step({std::span(&g, 1)}, {.loss = 1});
    moved.push_back(w);
  }
  return moved;
}

TEST_CASE("steps worked out by hand at the ends of ranges") {
  const auto near = [](const std::vector<double>& a, const std::vector<double>& b) {
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i] == doctest::Approx(b[i]).epsilon(1e-5));
  };
  // No memory: every step is g / (|g| + 1e-8).
  near(steps("scale_by_rms(beta=0) | apply_update", {1e4f, 1e-4f}, 0.01), {-0.01, -0.01 / (1 + 1e-4)});
  near(steps("ema(beta=0) | apply_update", {1e8f, 1e-4f}, 1), {-1e8, -1e-4});
  near(steps("scale_by_adam(beta1=0, beta2=0) | apply_update", {1e15f, -1}, 0.5), {-0.5, 0.5});
  // m̂ = 0.09·g/0.19, v̂ = 0.000999·g²/0.001999
  near(steps("scale_by_adam | apply_update", {1e20f, 0}, 0.001), {-0.001, -0.001 * (0.09 / 0.19) / std::sqrt(0.000999 / 0.001999)});
  near(steps("scale_by_radam | apply_update", {1e20f}, 0.001), {-1e17});
  near(steps("scale_by_rss | apply_update", {1e30f, 1e30f}, 1), {-1, -1 / std::sqrt(2)});
  // A long series of the longest gradients.
  for (const char* adam : {"scale_by_adam", "scale_by_exp_avg_sq", "scale_by_amsgrad", "scale_by_laprop"})
    CHECK(steps(std::string(adam) + " | apply_update", std::vector<float>(3000, 1e30f), 1).back() == doctest::Approx(-1));
  CHECK(steps("scale_by_rss | apply_update", std::vector<float>(3000, 1e30f), 1).back() ==
        doctest::Approx(-1 / std::sqrt(3000)).epsilon(1e-4));
  // An average whose share of the newest is 1e-7 still sees it.
  near(steps("scale_by_adam(beta1=0, beta2=0.9999999, epsilon=1e-18) | apply_update", {1e-3f}, 1), {-1});
  // Without an ε: nothing divided by nothing is nothing, and a square that underflows makes no long step.
  for (const char* adam : {"scale_by_adam(beta1=0, beta2=0, epsilon=0) | apply_update",
                           "scale_by_laprop(beta1=0, beta2=0, epsilon=0) | apply_update",
                           "scale_by_ademamix(beta1=0, beta2=0, epsilon=0, alpha=0) | apply_update"})
    near(steps(adam, {0, 1e-30f, 1}, 1), {0, 0, -1});
  // ρ_t = t - (1-β)(t²-1)/6 + … where the memory is long.
  for (const double share : {1e-15, 1e-12, 1e-9, 1e-7})
    for (const double t : {1, 6, 100}) {
      const gradients_seen seen(1 - share, t);
      CHECK(seen.now == doctest::Approx(t - share * (t * t - 1) / 6).epsilon(1e-9));
      if (t > 4) CHECK(seen.rectification() == doctest::Approx(std::sqrt((t - 4) * (t - 2) / t * share / 2)).epsilon(1e-4));
    }
}

TEST_CASE("an infinite gradient shows, and no later one hides it") {
  const auto infinity = std::numeric_limits<float>::infinity();
  for (const char* text : {"scale_by_adam", "scale_by_ademamix", "scale_by_adan", "scale_by_adopt", "scale_by_amsgrad",
                           "scale_by_exp_avg_sq", "scale_by_laprop", "scale_by_nadam", "scale_by_radam", "scale_by_rms",
                           "scale_by_rss", "scale_by_factored_rms", "scale_by_row_rms"}) {
    CAPTURE(text);
    const auto moved = steps(std::string(text) + " | apply_update", {1, infinity, 1, 1}, 1);
    CHECK(!std::isfinite(moved[1] + moved[2]));  // ADOPT divides by the squares of before
    CHECK(std::isnan(moved[3]));
  }
}

TEST_CASE("what cannot be right is refused by name") {
  const auto refusal = [](const std::string& chain) -> std::string {
    try {
      steps(chain, {1}, 1);
      return "";
    } catch (const error& e) {
      return e.what();
    }
  };
  CHECK(refusal("scale_by_rms(epsilon=1e-19) | apply_update") ==
        "[parse] Expected for scale_by_rms: beta in [0, 1), epsilon in [1e-18, 1). Received 'epsilon=1e-19' at column 14.");
  CHECK(refusal("update_by_schedule_free(beta=1e-4)") ==
        "[update_by_schedule_free] Expected beta = 0 or beta >= 0.001. Received 1e-04: rounding would destroy "
        "x = z + (y-z)/beta.");
}
