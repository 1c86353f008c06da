// Numbers that change between two steps, and checkpoints of other settings or other parameters.
#include <algorithm>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/text.hpp>

#include "../core/model.hpp"
#include "../message.hpp"

using namespace thalweg;
using test::model;
using test::same_bits;

namespace {

const std::vector<test::layer> layers{{"a", {4, 6}}, {"b", {5}}};
const options some{.lr = 0.01, .weight_decay = 0.1};

std::string refusal(optimizer<float>& opt, const std::string& name, double value) {
  const std::string before = opt.describe();
  try {
    opt.set(name, value);
  } catch (const error& e) {
    CHECK(opt.describe() == before);
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a number that is set counts from the next step on, as if the chain had it") {
  model<float> set(layers), other(layers);
  optimizer<float> opt("scale_by_adam | apply_update", set.parameters(), some),
      of_then("scale_by_adam | apply_update", other.parameters(), some);
  set.train(opt, 1, 3);
  other.train(of_then, 1, 3);
  opt.set("scale_by_adam.beta2", 0.5);
  opt.set("weight_decay", 0.3);
  CHECK(opt.get("scale_by_adam.beta2") == 0.5);
  CHECK(opt.get("scale_by_adam.beta1") == 0.9);
  CHECK(opt.get("weight_decay") == 0.3);
  set.train(opt, 4, 5);

  // The same states, under a chain that was written so.
  optimizer<float> written("scale_by_adam(beta2=0.5) | apply_update", other.parameters(),
                           {.lr = 0.01, .weight_decay = 0.3});
  const auto report = written.load_bytes(of_then.to_bytes(), {.settings = setting_match::keep});
  CHECK(report.changed.size() == 2);
  other.train(written, 4, 5);
  CHECK(same_bits(set.values, other.values));

  // A checkpoint keeps what was set, and an optimizer that nobody has told takes it over.
  optimizer<float> resumed("scale_by_adam | apply_update", set.parameters(), some);
  resumed.load_bytes(opt.to_bytes());
  CHECK(resumed.get("scale_by_adam.beta2") == 0.5);
  CHECK(resumed.get("weight_decay") == 0.3);
  CHECK(resumed.to_bytes() == opt.to_bytes());
  set.train(resumed, 6, 7);
  other.train(written, 6, 7);
  CHECK(same_bits(set.values, other.values));
  CHECK(resumed.describe().find("scale_by_adam: set to beta2=0.5") != std::string::npos);
}

TEST_CASE("transforms of one name are set together or one by one; schedules go on from what is set") {
  model<float> m(layers);
  optimizer<float> opt("route(when(is_vector, ema(beta=0.5)), otherwise(ema(beta=0.25))) | scheduled(by, linear(steps=4), scale(by=1)) "
                       "| apply_update", m.parameters(), {.lr = 1});
  CHECK(opt.get("ema#1.beta") == 0.5);
  CHECK(opt.get("ema#2.beta") == 0.25);
  opt.set("ema.beta", 0.75);
  CHECK(opt.get("ema#2.beta") == 0.75);
  opt.set("ema#1.beta", 0);
  CHECK(opt.get("ema#1.beta") == 0);
  CHECK(opt.get("ema#2.beta") == 0.75);
  m.differentiate(1);
  opt.step(m.gradients);  // t = 1: by 1
  opt.set("scale.by", 2);
  const auto before = m.values;
  opt.step(m.gradients);  // t = 2: by 2·3/4
  for (std::size_t i = 0; i < 5; ++i)
    CHECK(m.values[1][i] == doctest::Approx(before[1][i] - 1.5f * m.gradients[1][i]));
  const std::string saved = opt.to_bytes();
  opt = optimizer<float>("route(when(is_vector, ema(beta=0.5)), otherwise(ema(beta=0.25))) | scheduled(by, linear(steps=4), "
                         "scale(by=1)) | apply_update", m.parameters(), {.lr = 1});
  opt.load_bytes(saved);
  CHECK(opt.get("ema#1.beta") == 0);
  CHECK(opt.get("ema#2.beta") == 0.75);
}

TEST_CASE("what cannot be set is refused") {
  model<float> m(layers);
  optimizer<float> opt("accumulate(steps=2) | scale_by_adam | apply_update", m.parameters(), some);
  CHECK(refusal(opt, "scale_by_adam.beta3", 0.5) ==
        "[set] Expected one of lr, weight_decay, warmup_steps, weight_lr_power, r, scale_by_adam.beta1, scale_by_adam.beta2, "
        "scale_by_adam.epsilon, scale_by_adam.floor. Received 'scale_by_adam.beta3'.");
  CHECK(refusal(opt, "accumulate.steps", 3).starts_with("[set] Expected one of lr,"));
  CHECK(refusal(opt, "scale_by_adam.beta2", 1) == "[scale_by_adam] Expected beta2 in [0, 1). Received 1.");
  CHECK(refusal(opt, "scale_by_adam.beta2", 1 - 1e-12) ==
        "[scale_by_adam] Expected beta2 in [0, 1) when rounded to float32 as well. Received 0.999999999999.");
  CHECK(refusal(opt, "lr", -1) == "[set] Expected lr in [0, inf). Received -1.");
  CHECK(refusal(opt, "weight_decay", std::numeric_limits<double>::quiet_NaN()) == "[set] Expected weight_decay in [0, inf). Received nan.");
  CHECK(refusal(opt, "warmup_steps", 2.5) == "[set] Expected a whole number as warmup_steps. Received 2.5.");
  constexpr double infinity = std::numeric_limits<double>::infinity();
  CHECK(refusal(opt, "warmup_steps", 1e17) == "[set] Expected a whole number as warmup_steps. Received 1e+17.");
  optimizer<float> cosine("cosine(steps=9) | apply_update", m.parameters(), some);
  CHECK(refusal(cosine, "cosine.steps", infinity) == "[set] Expected a whole number as cosine.steps. Received inf.");
  opt.set("warmup_steps", 3);
  CHECK(opt.get("warmup_steps") == 3);
}

TEST_CASE("parameters are added, removed and reshaped") {
  model<float> m({{"a", {4, 6}}, {"b", {5}}, {"c", {3, 2}}});
  optimizer<float> opt("sf_adamw", m.parameters(), some);
  m.train(opt, 1, 4);
  const std::string saved = opt.to_bytes();
  model<float> next({{"a", {4, 6}}, {"new", {7}}, {"c", {3, 3}}});
  next.values[0] = m.values[0];
  optimizer<float> to("sf_adamw", next.parameters(), some);
  const std::string untouched = to.to_bytes();
  CHECK_THROWS_WITH_AS(to.load_bytes(saved), "[load] Expected 'new/scale_by_exp_avg_sq.second_moment' in the checkpoint. Received none.",
                       error);
  CHECK(to.to_bytes() == untouched);
  const auto report = to.load_bytes(saved, {.parameters = parameter_match::partial});
  CHECK(report.added == std::vector<std::string>{"new"});
  CHECK(report.reshaped == std::vector<std::string>{"c"});
  CHECK(report.missing == std::vector<std::string>{"b"});
  CHECK(report.changed.empty());
  CHECK(to.steps() == 4);

  // `a` goes on as before, and `new` as if it were alone.
  model<float> alone({{"new", {7}}});
  alone.values[0] = next.values[1];
  optimizer<float> of_new("sf_adamw", alone.parameters(), some);
  for (long t = 5; t <= 7; ++t) {
    m.differentiate(t);
    next.differentiate(t);
    next.gradients[0] = m.gradients[0];
    opt.step(m.gradients);
    to.step(next.gradients);
    of_new.step({next.gradients[1]});
  }
  CHECK(same_bits(next.values[0], m.values[0]));
  CHECK(same_bits(next.values[1], alone.values[0]));
}

TEST_CASE("a longer schedule goes on from the checkpoint of a shorter") {
  model<float> m(layers);
  optimizer<float> opt("cosine(steps=10) | adamw", m.parameters(), some);
  m.train(opt, 1, 4);
  optimizer<float> longer("cosine(steps=100) | adamw", m.parameters(), {.lr = 0.02});
  CHECK_THROWS_AS(longer.load_bytes(opt.to_bytes()), error);
  const auto report = longer.load_bytes(opt.to_bytes(), {.settings = setting_match::keep});
  REQUIRE(report.changed.size() == 3);
  CHECK(report.changed[0].starts_with("chain: cosine(steps=10"));
  CHECK(report.changed[1] == "lr: 0.01 there, 0.02 here");
  CHECK(report.changed[2] == "weight_decay: 0.1 there, 0 here");
  CHECK(longer.lr() == 0.02);
  CHECK(longer.steps() == 4);
  m.train(longer, 5, 6);
}

TEST_CASE("windows of another length begin anew; a part of a checkpoint needs a new optimizer") {
  model<float> m(layers);
  optimizer<float> four("accumulate(steps=4) | apply_update", m.parameters(), {.lr = 1});
  for (auto& g : m.gradients) std::ranges::fill(g, 100.0f);
  for (int call = 0; call < 13; ++call) four.step(m.gradients);
  const auto before = m.values;
  optimizer<float> five("accumulate(steps=5) | apply_update", m.parameters(), {.lr = 1});
  five.load_bytes(four.to_bytes(), {.settings = setting_match::keep});
  CHECK(!five.flush().taken);
  for (auto& g : m.gradients) std::ranges::fill(g, 0.0f);
  for (int call = 1; call <= 5; ++call) CHECK(five.step(m.gradients).taken == (call == 5));
  CHECK(same_bits(m.values, before));
  CHECK_THROWS_WITH_AS(five.load_bytes(four.to_bytes(), {.parameters = parameter_match::partial, .settings = setting_match::keep}),
                       "[load] Expected an optimizer that has taken no step, for a part of a checkpoint. Received one after 4 "
                       "steps. Make a new one.", error);
}

TEST_CASE("what differs is said once, with both values; an average may end") {
  model<float> m(layers);
  optimizer<float> opt("sf_adamw", m.parameters(), some), other("scale_by_exp_avg_sq | apply_update", m.parameters(), some);
  opt.step(m.gradients);
  opt.set("weight_decay", 0.2);
  other.set("weight_decay", 0.2);
  other.set("scale_by_exp_avg_sq.beta2", 0.5);
  const auto report = other.load_bytes(opt.to_bytes(), {.parameters = parameter_match::partial, .settings = setting_match::keep});
  REQUIRE(report.changed.size() == 2);
  CHECK(report.changed[0].starts_with("chain: "));
  CHECK(report.changed[1] == "scale_by_exp_avg_sq.beta2: not set there, set to 0.5 here");
  other.step(m.gradients);
}

TEST_CASE("parameters on another route than in the checkpoint are refused") {
  const std::string chain = "route(when(hidden_matrix, scale(by=2)), otherwise(scale(by=3))) | scale_by_adam | apply_update";
  model<float> m({{"a", {4, 6}}, {"b", {4, 6}, role::embedding}}), both({{"a", {4, 6}}, {"b", {4, 6}}});
  optimizer<float> opt(chain, m.parameters(), some);
  m.train(opt, 1, 2);
  both.values = m.values;
  optimizer<float> hidden(chain, both.parameters(), some);
  CHECK_THROWS_WITH_AS(hidden.load_bytes(opt.to_bytes()),
                       "[load] Expected 'b' on the same route as here. Received it on another route.", error);
}

TEST_CASE("a chain without an average saves what no average could weigh") {
  model<float> m(layers);
  optimizer<float> opt("adamw", m.parameters(), {.lr = 0.01, .r = 1e9});
  m.train(opt, 1, 3);
  const std::string saved = opt.to_bytes();
  opt.load_bytes(saved);
  CHECK(opt.steps() == 3);
}

TEST_CASE("scale_by_rprop refuses a least step above the longest") {
  float w = 0;
  const std::vector<parameter<float>> of{{.name = "w", .shape = {1}, .data = &w}};
  CHECK(test::message([&] { optimizer<float>("scale_by_rprop(least=60)", of, {.lr = 1}); }) ==
        "[scale_by_rprop] Expected least <= longest. Received 60 and 50.");
  optimizer<float> opt("scale_by_rprop(least=50)", of, {.lr = 1});
}
