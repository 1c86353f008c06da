#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::averages;
using oracle::dozen;
using training::subject;
using training::suite;

namespace {

// A chain with everything that moves the average: its own warm-up and a schedule, both neutral unless given.
struct amuse {
  thalweg::warmup warmup{.steps = 1};
  thalweg::linear linear{.steps = 1, .final = 1};
  amuse_beta beta{};
  update_by_schedule_free end{};
  operator subject() const { return chain(warmup, linear, beta, end); }  // NOLINT: implicit by intent
};

}  // namespace

TEST_CASE("update_by_schedule_free") {
  for (const auto decay : {decay_point::z, decay_point::y}) {
    const subject s = update_by_schedule_free{.beta = 0.6, .decay = decay};
    suite(s);
    averages(s, oracle::gradient(), oracle::constant(0.6), decay);
    averages(update_by_schedule_free{.beta = 1, .decay = decay}, oracle::gradient(), oracle::constant(1), decay);
  }
  averages(update_by_schedule_free{}, oracle::gradient(), oracle::constant(0.9), decay_point::z);
}

TEST_CASE("update_by_schedule_free behind a transform with state") {
  const subject s = scale_by_exp_avg_sq{.beta2 = 0.9} | update_by_schedule_free{.beta = 0.9, .decay = decay_point::y};
  suite(s);
  averages(s, oracle::second_moment(0.9, 1e-10), oracle::constant(0.9), decay_point::y);
}

TEST_CASE("update_by_schedule_free with other weights of the average") {
  auto s = dozen();
  for (const double p : {0.0, 1.0, 2.0, 3.5})
    for (const double r : {0.0, 1.0, 2.5}) {
      s.options.weight_lr_power = p;
      s.options.r = r;
      averages(update_by_schedule_free{.beta = 0.7}, oracle::gradient(), oracle::constant(0.7), decay_point::z, s);
    }
}

TEST_CASE("weigh_by_largest_lr: a lowered learning rate still counts fully in the average, as in the authors' code") {
  auto s = dozen();
  s.options.warmup_steps = 0;
  s.set_lr = [](long t) { return t <= 2 ? 0.05 : t <= 6 ? 0.1 : 0.001; };
  const auto& p = s.parameters.front();
  const auto at = [&](const oracle::rate& weighing) {
    return oracle::schedule_free(oracle::start(p), oracle::gradients(s, p), oracle::gradient(), s.options, s.set_lr,
                                 oracle::constant(0.8), decay_point::z, weighing);
  };
  const auto by_largest = at([](long t) { return t <= 2 ? 0.05 : 0.1; }), by_lr = at(s.set_lr);
  const subject end = update_by_schedule_free{.beta = 0.8};
  oracle::agrees(end, s, {{by_lr.y}, {by_lr.x}});
  const subject chosen = weigh_by_largest_lr{} | update_by_schedule_free{.beta = 0.8};
  oracle::agrees(chosen, s, {{by_largest.y}, {by_largest.x}});
  const std::vector<std::vector<double>> x_by_largest{by_largest.x}, x_by_lr{by_lr.x};
  CHECK(training::difference(x_by_largest, x_by_lr) > 0.01);
  suite(chosen);
}

TEST_CASE("amuse_beta: T₀ is the last step of the warm-up that moves, or the second step that moves at all") {
  const auto betas = [](const std::vector<double>& lrs, long warmup_steps) {
    std::vector<double> all;
    double at_warmup = 0, sum = 0;
    for (std::size_t i = 0; i < lrs.size(); ++i) {
      sum += lrs[i] * lrs[i];
      const context c{.step = static_cast<long>(i) + 1, .warmup_steps = warmup_steps,
                      .average_weight = sum > 0 ? lrs[i] * lrs[i] / sum : 1};
      const auto after = amuse_beta{.beta1 = 0.5, .rho = 1}.at(c, at_warmup);
      at_warmup = std::get<0>(after.states);
      all.push_back(*after.value.heard<interpolation_beta>());
    }
    return all;
  };
  const auto are = [](const std::vector<double>& got, const std::vector<double>& right) {
    REQUIRE(got.size() == right.size());
    for (std::size_t i = 0; i < right.size(); ++i) CHECK(got[i] == doctest::Approx(right[i]));
  };
  are(betas({1, 1, 1, 1, 1}, 3), {0.5, 0.5, 0.5, 1 - 0.5 * 2 / 3, 1 - 0.5 * 2 / 4});
  // Frozen for all but the last step of the warm-up: c is 1 there. T₀ is the step behind, of which c is 1/2.
  are(betas({0, 0, 1, 1, 1, 1}, 3), {0.5, 0.5, 0.5, 0.5, 1 - 0.5 / 2, 1 - 0.5 / 3});
  // Frozen for the whole warm-up.
  are(betas({0, 0, 0, 1, 1, 1, 1}, 3), {0.5, 0.5, 0.5, 0.5, 0.5, 1 - 0.5 / 2, 1 - 0.5 / 3});
  // Frozen at its end: T₀ is the second step.
  are(betas({1, 1, 0, 1, 1}, 3), {0.5, 0.5, 0.5, 1 - 0.5 / 2, 1 - 0.5 / 3});
  // A warm-up of one step, as the paper's formula has it.
  are(betas({1, 1, 1}, 1), {0.5, 1, 1});
}

TEST_CASE("AMUSE stands still while lr is 0 after the warm-up, and goes on from there") {
  float w = 1;
  const float g = 0.5;
  optimizer<float> opt(amuse_beta{} | update_by_schedule_free{}, {{.name = "w", .shape = {1}, .data = &w}},
                       {.lr = 0.1, .warmup_steps = 3});
  for (int t = 0; t < 6; ++t) opt.step({std::span(&g, 1)});
  const float before = w;
  opt.lr(0);
  for (int t = 0; t < 3; ++t) opt.step({std::span(&g, 1)});
  CHECK(w == doctest::Approx(before).epsilon(1e-6));
  opt.lr(0.1);
  opt.step({std::span(&g, 1)});
  CHECK(w < before);
}

TEST_CASE("a checkpoint from before the first step forgets the largest lr") {
  float w = 1;
  const float g = 0.5;
  const auto train = [&](optimizer<float>& opt, std::initializer_list<double> lrs) {
    for (const double lr : lrs) {
      opt.lr(lr);
      opt.step({std::span(&g, 1)});
    }
    return w;
  };
  const auto bind = [&] {
    w = 1;
    return optimizer<float>(weigh_by_largest_lr{} | update_by_schedule_free{}, {{.name = "w", .shape = {1}, .data = &w}}, {});
  };
  auto opt = bind();
  const float right = train(opt, {0.1, 0.1, 0.3});
  opt = bind();
  const std::string saved = opt.to_bytes();
  train(opt, {5, 5});
  w = 1;
  opt.load_bytes(saved);
  CHECK(train(opt, {0.1, 0.1, 0.3}) == right);
}

TEST_CASE("update_by_schedule_free refuses a step whose weight in the average leaves double") {
  float w = 1;
  const float g = 1;
  const auto refusal = [&](const options& o) -> std::string {
    try {
      optimizer<float> opt(chain(update_by_schedule_free{}), {{.name = "w", .shape = {1}, .data = &w}}, o);
      for (int t = 0; t < 3; ++t) opt.step({std::span(&g, 1)});
      return "";
    } catch (const error& e) {
      return e.what();
    }
  };
  CHECK(refusal({.lr = 1e-200}) ==
        "[step] Expected a weight t^r·lr^weight_lr_power of the average that is neither zero nor infinite. Received t = 1, "
        "r = 0, lr = 1e-200, weight_lr_power = 2.");
  CHECK(refusal({.lr = 1, .r = 1000}).ends_with("Received t = 3, r = 1000, lr = 1, weight_lr_power = 2."));
  CHECK(refusal({.lr = 0}) == "");
  CHECK(refusal({.lr = 1e-100}) == "");
}

TEST_CASE("update_by_schedule_free weighs by a learning rate set by hand") {
  auto s = dozen();
  s.options.warmup_steps = 0;
  s.set_lr = [](long t) { return t <= 6 ? 0.1 : 0.04; };
  const auto& p = s.parameters.front();
  const auto at = oracle::schedule_free(oracle::start(p), oracle::gradients(s, p), oracle::gradient(), s.options,
                                        s.set_lr, oracle::constant(0.8), decay_point::z);
  oracle::agrees(update_by_schedule_free{.beta = 0.8}, s, {{at.y}, {at.x}});
}

TEST_CASE("amuse_beta") {
  const subject s = amuse_beta{} | update_by_schedule_free{};
  suite(s);
  averages(s, oracle::gradient(), oracle::amuse(0.6, 0.8, 3), decay_point::z);

  auto long_run = dozen();
  long_run.steps = 25;
  for (const long warmup : {1, 2, 7, 40})
    for (const double rho : {0.0, 0.3, 0.8, 2.0})
      for (const auto decay : {decay_point::z, decay_point::y}) {
        long_run.options.warmup_steps = warmup;
        averages(amuse_beta{.beta1 = 0.4, .rho = rho} | update_by_schedule_free{.beta = 0.77, .decay = decay},
                 oracle::gradient(), oracle::amuse(0.4, rho, warmup), decay, long_run);
      }
}

TEST_CASE("amuse_beta's beta1_steps are T₀, whatever the warm-up is") {
  auto s = dozen();
  for (const long warmup : {0, 3, 9})
    for (const long t0 : {2, 5}) {
      s.options.warmup_steps = warmup;
      averages(amuse_beta{.beta1 = 0.4, .rho = 0.5, .beta1_steps = t0} | update_by_schedule_free{}, oracle::gradient(),
               oracle::amuse(0.4, 0.5, t0), decay_point::z, s);
    }
  suite(amuse_beta{.beta1_steps = 2} | update_by_schedule_free{.decay_at_y = 0.5});
}

TEST_CASE("amuse_beta with other weights of the average") {
  auto s = dozen();
  for (const double p : {0.0, 1.0, 3.5})
    for (const double r : {0.0, 1.0, 2.5}) {
      s.options.weight_lr_power = p;
      s.options.r = r;
      averages(amuse_beta{.beta1 = 0.5, .rho = 0.7} | update_by_schedule_free{}, oracle::gradient(),
               oracle::amuse(0.5, 0.7, 3), decay_point::z, s);
    }
}

TEST_CASE("amuse_beta behind schedules: the chain's warm-up is T₀, the scheduled learning rate weighs") {
  auto s = dozen();
  s.options.warmup_steps = 0;
  const auto& p = s.parameters.front();
  const oracle::rate lr = [&](long t) {
    const double k = static_cast<double>(t);
    return s.options.lr * std::min(1.0, k / 4) * (1 - 0.8 * (k - 1) / 20);
  };
  const auto at = oracle::schedule_free(oracle::start(p), oracle::gradients(s, p), oracle::gradient(), s.options, lr,
                                        oracle::amuse(0.5, 0.8, 4), decay_point::z);
  const amuse chain{.warmup = {.steps = 4}, .linear = {.steps = 20, .final = 0.2}, .beta = {.beta1 = 0.5}};
  suite(chain);
  oracle::agrees(chain, s, {{at.y}, {at.x}});
}

TEST_CASE("step_on_sphere: z keeps its length, x and y are averages of it") {
  auto s = oracle::dozen();
  s.options.weight_decay = 0;
  const auto& p = s.parameters.front();
  using oracle::operator+, oracle::operator-, oracle::operator*;
  oracle::vector z = oracle::start(p), x = z, y = z;
  const double radius = oracle::norm(z);
  double weights = 0;
  oracle::history seen;
  for (const auto& g : oracle::gradients(s, p)) {
    seen.push_back(g);
    const double lr = oracle::warmed_up(s.options)(static_cast<long>(seen.size()));
    const auto u = oracle::average(seen, 0.8);
    const auto moved = z - (lr * radius / oracle::norm(u)) * u;
    z = (radius / oracle::norm(moved)) * moved;
    weights += lr * lr;
    x = (1 - lr * lr / weights) * x + (lr * lr / weights) * z;
    y = 0.3 * z + 0.7 * x;
  }
  oracle::agrees(ema{.beta = 0.8} | step_on_sphere{} | update_by_schedule_free{.beta = 0.7}, s, {{y}, {x}}, 1e-5, 1e-12);
  training::suite(decay_weights{} | ema{.beta = 0.8} | step_on_sphere{} | update_by_schedule_free{.beta = 0.7});

  std::vector<double> w(4, 1.0), g(4, 0.5);
  const auto with_decay = [&] {
    auto opt = optimizer(step_on_sphere{} | apply_update{}, std::vector{as_parameter("w", w)}, {.lr = 0.1, .weight_decay = 0.01});
    opt.step({g});
  };
  CHECK_THROWS_WITH_AS(with_decay(), "[step_on_sphere] Expected weight_decay = 0, or decay_weights upstream. Received 0.01.", error);
  CHECK(w == std::vector<double>(4, 1.0));
}
