// What a transform may have besides its kernel or function, a combinator around it passes on.
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms/in_row_blocks.hpp>
#include <thalweg/transforms/linear.hpp>
#include <thalweg/transforms/parallel.hpp>
#include <thalweg/transforms/scheduled.hpp>

using namespace thalweg;

namespace {

// A tensor-wise transform with everything that one may have.
struct probe {
  double by = 2;
  static constexpr auto fields = list{field{"by", &probe::by, above(0).to(8)}};
  using reads = loss_of_step;

  void check(const parameter_info& p) const {
    if (p.cols() > 5) throw error("probe", "Expected few columns.");
  }
  void check(const context& c) const {
    if (c.step > 2) throw error("probe", "Expected few steps.");
  }
  [[nodiscard]] static std::size_t scratch(const parameter_info& p) { return p.size(); }
  [[nodiscard]] static std::string computed_by() { return "hand"; }
  template <class T>
  void apply(const context& c, whole<T> w, std::span<T> scratch) const noexcept {
    for (std::size_t i = 0; i < w.update.size(); ++i) scratch[i] = w.gradient.data[i] + w.parameter.data[i];
    for (std::size_t i = 0; i < w.update.size(); ++i)
      w.update.data[i] = static_cast<T>(by * *c.loss * scratch[i]);
  }
};

template <class Chain>
std::string refusal(const Chain& chain, std::size_t cols, int steps, const step_inputs& inputs) {
  std::vector<double> theta(4 * cols, 1.0);
  const std::vector<double> g(4 * cols, 0.5);
  try {
    auto opt = optimizer(chain, std::vector{as_parameter("w", theta, {4, cols})}, {.lr = 1});
    for (int t = 0; t < steps; ++t) opt.step({g}, inputs);
    return "";
  } catch (const error& e) {
    return e.what();
  }
}

template <class Combinator>
void passes_on(const Combinator& around) {
  const auto chain = thalweg::chain(around(probe{}));
  CHECK(refusal(chain, 3, 2, {.loss = 1}) == "");
  CHECK(refusal(chain, 3, 1, {}).ends_with("Expected a loss with the gradients. Received none."));
  CHECK(refusal(chain, 6, 0, {.loss = 1}) == "[probe] Expected few columns.");
  CHECK(refusal(chain, 3, 3, {.loss = 1}) == "[probe] Expected few steps.");
  CHECK(refusal(thalweg::chain(around(probe{.by = 9})), 3, 0, {.loss = 1}).ends_with("Expected by in (0, 8]. Received 9."));
  CHECK(to_text(chain).find("probe(by=2)") != std::string::npos);

  std::vector<double> theta(12, 1.0);
  auto opt = optimizer(chain, std::vector{as_parameter("w", theta, {4, 3})}, {.lr = 1});
  CHECK(opt.describe().find("by hand") != std::string::npos);
  opt.step({std::vector<double>(12, 0.5)}, {.loss = 0.25});
  for (const double x : theta) CHECK(x == 1 - 2 * 0.25 * 1.5);  // it saw the gradient, the parameter and the loss
}

}  // namespace

TEST_CASE("scheduled passes on all that the transform has") {
  passes_on([](const probe& p) { return scheduled(&probe::by, linear{.steps = 100, .final = 0.5}, p); });
}
TEST_CASE("in_row_blocks passes on all that the transform has") {
  passes_on([](const probe& p) { return in_row_blocks(2, p); });
}
TEST_CASE("parallel passes on all that its transforms have") {
  passes_on([](const probe& p) { return parallel(ensemble{}, p, p); });
}
