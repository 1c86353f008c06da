// Numbers that change between two steps, rows that are scaled there, and checkpoints of other settings or other parameters.
#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/core/qk_clip.hpp>
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

  // A checkpoint keeps options that were set, and an optimizer that loads it takes them over.
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
                       "[load] Expected 'b' on the same route as in this optimizer. Received it on another route.", error);
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

namespace {

const std::vector<double> halves{0.5, 1, 0.25};

/// Schedule-Free in plain loops, with x, y and z of a matrix of 6 × 4, whose rows are scaled between two steps.
std::vector<double> scaled_between(const std::vector<float>& start, const std::vector<std::vector<float>>& gradients, std::size_t at) {
  std::vector<double> z(start.begin(), start.end()), x = z, y = z;
  for (std::size_t t = 1; t <= gradients.size(); ++t) {
    const double c = 1 / static_cast<double>(t);
    for (std::size_t i = 0; i < z.size(); ++i) {
      z[i] -= 0.1 * static_cast<double>(gradients[t - 1][i]);
      x[i] += c * (z[i] - x[i]);
      y[i] = 0.1 * z[i] + 0.9 * x[i];
      if (t == at)
        for (auto* of : {&x, &y, &z}) (*of)[i] *= halves[i / 4 / 2];
    }
  }
  y.insert(y.end(), x.begin(), x.end());
  return y;
}

template <class T>
std::vector<double> trained(std::vector<T> w, const std::vector<std::vector<float>>& gradients, std::size_t at, storage_order order, const options& o) {
  const auto turned = [&](const auto& given) {  // as it lies in memory
    auto to = given;
    for (std::size_t e = 0; order == storage_order::column_major && e < to.size(); ++e) to[e % 4 * 6 + e / 4] = given[e];
    return to;
  };
  w = turned(w);
  optimizer<float> opt("update_by_schedule_free", {{.name = "w", .shape = {6, 4}, .data = w.data(), .order = order}}, o);
  for (std::size_t t = 1; t <= gradients.size(); ++t) {
    const std::vector<std::vector<float>> g{turned(gradients[t - 1])};
    opt.step(g);
    if (t == at) opt.scale_rows("w", halves);
  }
  std::vector<float> x(24);
  opt.averaged(0, x);
  std::vector<double> all(48);
  for (std::size_t e = 0; e < 24; ++e) {
    const std::size_t from = order == storage_order::column_major ? e % 4 * 6 + e / 4 : e;
    all[e] = static_cast<double>(static_cast<float>(w[from]));
    all[24 + e] = static_cast<double>(x[from]);
  }
  return all;
}

}  // namespace

TEST_CASE("scale_rows scales x and z as y") {
  model<float> m({{"w", {6, 4}}});
  std::vector<std::vector<float>> gradients;
  for (long t = 1; t <= 8; ++t) m.differentiate(t), gradients.push_back(m.gradients[0]);
  const auto expected = scaled_between(m.values[0], gradients, 3);
  const options o{.lr = 0.1};
  for (const auto order : {storage_order::row_major, storage_order::column_major}) {
    const auto seen = trained(m.values[0], gradients, 3, order, o);
    for (std::size_t i = 0; i < seen.size(); ++i) CHECK(seen[i] == doctest::Approx(expected[i]).epsilon(1e-5));
  }
  // Weights of 16 bits are float32's, bit for bit.
  std::vector<bfloat16> half;
  for (float& w : m.values[0]) half.emplace_back(w), w = static_cast<float>(half.back());
  const auto in_float = trained(m.values[0], gradients, 3, storage_order::row_major, o);
  const auto exact = trained(half, gradients, 3, storage_order::row_major, o);
  for (std::size_t i = 0; i < 24; ++i) {
    CHECK(exact[i] == static_cast<double>(static_cast<float>(bfloat16(static_cast<float>(in_float[i])))));
    CHECK(exact[24 + i] == in_float[24 + i]);
  }

  // Where nothing keeps the lower half, and a step rounds by chance: right in the mean.
  std::vector<bfloat16> many(20000, bfloat16(1));
  optimizer<float> opt("apply_update", {{.name = "w", .shape = {2, 10000}, .data = many.data()}}, {.weights = weights_in::stochastic, .seed = 1});
  opt.scale_rows("w", std::vector{1, 0.999});
  double sum = 0;
  for (std::size_t i = 0; i < many.size(); ++i) sum += static_cast<double>(static_cast<float>(many[i])) / 10000;
  CHECK(static_cast<float>(many[9999]) == 1);
  CHECK(sum == doctest::Approx(1.999).epsilon(1e-4));

  // Momenta and second moments stay; a part that a view makes has a name of its own.
  model<float> fused({{"qkv", {6, 4}}});
  auto parameters = fused.parameters();
  parameters[0].view = {view::row_blocks{{{"q", 2}, {"k", 2}, {"v", 2}}}};
  optimizer<float> adam("scale_by_adam | apply_update", parameters, o);
  fused.train(adam, 1, 2);
  const auto before = fused.values[0];
  const std::string state = adam.to_bytes();
  adam.scale_rows("qkv.k", std::vector{0.5, 2.0});
  for (std::size_t e = 0; e < 24; ++e) CHECK(fused.values[0][e] == before[e] * (e / 4 == 2 ? 0.5f : e / 4 == 3 ? 2.0f : 1.0f));
  CHECK(adam.to_bytes().size() == state.size());
  for (std::size_t e = 8; e < 16; ++e) fused.values[0][e] = before[e];
  CHECK(adam.to_bytes() == state);
}

TEST_CASE("what scale_rows refuses") {
  model<float> m(layers);
  optimizer<float> opt("update_by_schedule_free", m.parameters(), some);
  const auto before = m.values;
  const auto refused = [&](const std::string& name, const std::vector<double>& by) -> std::string {
    try {
      opt.scale_rows(name, by);
    } catch (const error& e) {
      CHECK(same_bits(m.values, before));
      return e.what();
    }
    return "";
  };
  CHECK(refused("c", {1}) == "[scale_rows] Expected one of a, b. Received 'c'.");
  CHECK(refused("a", {}) == "[scale_rows] Expected a count of numbers that divides the 4 rows of 'a' into equal blocks. Received 0.");
  CHECK(refused("a", {1, 1, 1}) == "[scale_rows] Expected a count of numbers that divides the 4 rows of 'a' into equal blocks. Received 3.");
  CHECK(refused("a", {1, 0}) == "[scale_rows] Expected numbers in (0, inf). Received 0.");
  CHECK(refused("a", {1, std::numeric_limits<double>::infinity()}) == "[scale_rows] Expected numbers in (0, inf). Received inf.");
  {
    const auto at_x = opt.evaluation_point();
    CHECK(refused("a", {1}) == "[scale_rows] Expected the parameters at y. Received a call while an evaluation point is active.");
  }
  CHECK(refused("b", {1, 1, 1, 1, 2}) == "");  // a vector has a row for each number
  CHECK(m.values[1][4] == 2 * before[1][4]);
  CHECK(m.values[0] == before[0]);
}

TEST_CASE("qk_clip") {
  const std::vector<double> logits{50, 400, 100, -1e9};
  CHECK(qk_clip(logits) == std::vector<double>{1, 0.5, 1, 1});
  CHECK(qk_clip(logits, {.share = 1}) == std::vector<double>{1, 0.25, 1, 1});
  CHECK(qk_clip(logits, {.share = 0}) == std::vector<double>{1, 1, 1, 1});
  CHECK(qk_clip(logits, {.threshold = 25}) == std::vector<double>{std::sqrt(0.5), 0.25, 0.5, 1});
  CHECK_THROWS_WITH_AS(qk_clip(std::vector{1.0, std::numeric_limits<double>::infinity()}), "[qk_clip] Expected finite logits. Received inf for head 1.", error);
  CHECK_THROWS_WITH_AS(qk_clip(logits, {.threshold = 0}), "[qk_clip] Expected threshold in (0, inf). Received 0.", error);
  CHECK_THROWS_WITH_AS(qk_clip(logits, {.share = 1.5}), "[qk_clip] Expected share in [0, 1]. Received 1.5.", error);
}
