// What a step measures of each parameter.
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <nlohmann/json.hpp>
#include <thalweg/text.hpp>

#include "../core/model.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

template <class T>
double norm(const std::vector<T>& values, const std::vector<T>* minus = nullptr) {
  double sum = 0;
  for (std::size_t i = 0; i < values.size(); ++i) sum += std::pow(double(values[i]) - (minus ? double((*minus)[i]) : 0.0), 2);
  return std::sqrt(sum);
}

const std::vector<test::layer> layers{{"a", {40, 50}}, {"b", {3}}, {"long", {70001}}, {"c", {1}, role::hidden, 0.5}};

template <class T>
void check_measured(const std::string& chain, std::size_t workers) {
  CAPTURE(chain);
  model<T> m(layers), twin(layers);
  const options o{.lr = 0.01, .weight_decay = 0.1, .warmup_steps = 1, .parallel = threads(workers)};
  optimizer<T> opt(chain, m.parameters(), o), calm(chain, twin.parameters(), o);
  for (long t = 1; t <= 3; ++t) {
    m.differentiate(t);
    const auto before = m.values;
    const auto report = opt.step(m.gradients, {.measure = measure::norms});
    twin.differentiate(t);
    CHECK(calm.step(twin.gradients).parameters.empty());
    CHECK(same_bits(m.values, twin.values));  // to be measured changes nothing
    REQUIRE(report.parameters.size() == layers.size());
    for (std::size_t i = 0; i < layers.size(); ++i) {
      const parameter_report& p = report.parameters[i];
      CHECK(p.name == layers[i].name);
      CHECK(p.gradient_norm == doctest::Approx(norm(m.gradients[i])).epsilon(1e-5));
      CHECK(p.update_norm == doctest::Approx(norm(m.values[i], &before[i])).epsilon(1e-4));
      CHECK(p.parameter_norm == doctest::Approx(norm(m.values[i])).epsilon(1e-5));
      CHECK(p.ratio() == doctest::Approx(p.update_norm / p.parameter_norm));
      double largest = 0;
      for (const T g : m.gradients[i]) largest = std::max<double>(largest, std::abs(g));
      CHECK(p.largest_gradient == largest);
      CHECK(p.lr == doctest::Approx(i == 3 ? 0.005 : 0.01));
    }
  }
}

}  // namespace

TEST_CASE("norms are those that a loop over the arrays finds") {
  for (const char* chain : {"adamw", "lion", "amuse", "scale_by_trust_ratio | apply_update", "apply_update", "scale_by_adam | ema | apply_update"})
    for (const std::size_t workers : {1, 2}) {
      check_measured<float>(chain, workers);
      check_measured<double>(chain, workers);
    }
}

TEST_CASE("norms of the smallest and largest numbers") {
  for (const float size : {1e-38f, 1e-20f, 1e20f, 3e38f}) {
    std::vector<float> w(3), g(3, size);
    optimizer<float> opt("apply_update", {{.name = "w", .shape = {3}, .data = w.data()}}, {.lr = 0.25});
    const auto report = opt.step({g}, {.measure = measure::norms});
    REQUIRE(report.parameters.size() == 1);
    CHECK(report.parameters[0].gradient_norm == doctest::Approx(std::sqrt(3.0) * double(size)));
    CHECK(report.parameters[0].update_norm == doctest::Approx(std::sqrt(3.0) * 0.25 * double(size)));
  }
}

TEST_CASE("a NaN is in every number that it concerns") {
  std::vector<float> w(5000), g(5000, 1);
  g[4999] = std::numeric_limits<float>::quiet_NaN();
  optimizer<float> opt("apply_update", {{.name = "w", .shape = {5000}, .data = w.data()}}, {.lr = 0.25});
  const auto report = opt.step({g}, {.measure = measure::norms});
  REQUIRE(report.parameters.size() == 1);
  const parameter_report& p = report.parameters[0];
  for (const double number : {p.gradient_norm, p.update_norm, p.parameter_norm, p.largest_gradient, p.ratio()}) CHECK(std::isnan(number));
}

TEST_CASE("beta and the average's weight; the mean behind accumulate; who stands still is left out") {
  std::vector<float> w(2), v(2);
  const std::vector<float> g(2, 1), none;
  optimizer<float> opt("accumulate(steps=2) | amuse(beta1=0.6, rho=1)",
                       {{.name = "w", .shape = {2}, .role = role::hidden, .data = w.data()},
                        {.name = "v", .shape = {2}, .role = role::hidden, .data = v.data()}}, {.lr = 0.1, .warmup_steps = 1});
  const step_inputs norms{.measure = measure::norms};
  CHECK(opt.step({g, none}, norms).parameters.empty());
  const auto report = opt.step({none, none}, norms);
  REQUIRE(report.parameters.size() == 1);
  CHECK(report.parameters[0].gradient_norm == doctest::Approx(std::sqrt(0.5)));
  CHECK(report.parameters[0].average_weight == 1);
  CHECK(report.parameters[0].beta.has_value());
  CHECK(report.without_gradient == 1);
}

TEST_CASE("a step as JSON and as CSV") {
  std::vector<float> w(4);
  const std::vector<float> g{3, 4, 0, 0};
  optimizer<float> opt("report_gradient_norm | apply_update", {{.name = "a \"b\", c", .shape = {4}, .data = w.data()}}, {.lr = 0.5});
  const auto report = opt.step({g}, {.measure = measure::norms});
  CHECK(to_json(opt.steps(), report) ==
        R"({"step":1,"taken":true,"lr":0.5,"gradient_norm":5.0,"without_gradient":0,"parameters":[{"name":"a \"b\", c",)"
        R"("gradient_norm":5.0,"update_norm":2.5,"parameter_norm":2.5,"ratio":1.0,"largest_gradient":4.0,"lr":0.5,"beta":null,)"
        R"("average_weight":null}]})");
  CHECK(csv_header() + to_csv(opt.steps(), report) ==
        "step,parameter,gradient_norm,update_norm,parameter_norm,ratio,largest_gradient,lr,beta,average_weight\n"
        "1,\"a \"\"b\"\", c\",5,2.5,2.5,1,4,0.5,,\n");
  step_report skipped{.taken = false, .parameter = "w"};
  skipped.lr = std::numeric_limits<double>::infinity();
  CHECK(nlohmann::json::parse(to_json(7, skipped))["not_finite"] == "w");
  CHECK(nlohmann::json::parse(to_json(7, skipped))["lr"].is_null());
}
