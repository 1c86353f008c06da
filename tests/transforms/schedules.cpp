#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>

#include "agreement.hpp"

using namespace thalweg;
using training::subject;
using training::suite;

namespace {

// All schedules in one chain; each leaves the learning rate alone until it is given something to do.
struct schedules {
  thalweg::warmup warmup{};
  thalweg::linear linear{.final = 1};
  thalweg::cosine cosine{.final = 1};
  thalweg::warmup_stable_decay wsd{.steps = 1000};
  thalweg::scale_lr scale_lr{};
  operator subject() const { return chain(warmup, linear, cosine, wsd, scale_lr); }  // NOLINT: implicit by intent
};

// The learning rate at step t is lr(t) times the optimizer's, which does not warm up here.
void follows(const subject& chain, const oracle::rate& lr) {
  auto s = oracle::dozen();
  s.options.warmup_steps = 0;
  const auto& p = s.parameters.front();
  const oracle::rate scheduled = [&](long t) { return s.options.lr * lr(t); };
  const auto y = oracle::descend(oracle::start(p), oracle::gradients(s, p), oracle::gradient(),
                                 s.options.weight_decay, scheduled);
  oracle::agrees(chain, s, {{y}, {y}});
}

double progress(long t) { return std::min(1.0, static_cast<double>(t - 1) / 8); }

}  // namespace

TEST_CASE("apply_update") {
  const subject s = apply_update{};
  suite(s);
  oracle::descends(s, oracle::gradient());
}

TEST_CASE("warmup, linear, cosine, warmup_stable_decay, scale_lr") {
  suite(schedules{.warmup = {.steps = 3}, .linear = {.steps = 9}, .cosine = {.steps = 9, .final = 0.5},
                  .wsd = {.warmup_steps = 2, .steps = 7, .decay_steps = 3, .final = 0.1}, .scale_lr = {.by = 0.7}});
}

TEST_CASE("warmup") {
  follows(schedules{.warmup = {.steps = 5}}, [](long t) { return t < 5 ? 0.2 * static_cast<double>(t) : 1.0; });
}

TEST_CASE("linear") {
  follows(schedules{.linear = {.steps = 8, .final = 0.2}}, [](long t) { return 1 - 0.8 * progress(t); });
}

TEST_CASE("cosine") {
  follows(schedules{.cosine = {.steps = 8, .final = 0.2}},
          [](long t) { return 0.2 + 0.4 * (1 + std::cos(std::acos(-1.0) * progress(t))); });
}

TEST_CASE("warmup_stable_decay") {
  // Up in two steps, then level, then down by a quarter of 0.8 a step.
  follows(schedules{.wsd = {.warmup_steps = 2, .steps = 10, .decay_steps = 4, .final = 0.2}}, [](long t) {
    const double at[] = {0.5, 1, 1, 1, 1, 1, 1, 0.8, 0.6, 0.4, 0.2, 0.2};
    return at[t - 1];
  });
}

TEST_CASE("scale_lr") {
  follows(schedules{.scale_lr = {.by = 0.3}}, [](long) { return 0.3; });
}

TEST_CASE("schedules multiply") {
  follows(schedules{.warmup = {.steps = 3}, .linear = {.steps = 8}, .scale_lr = {.by = 2}}, [](long t) {
    return 2 * std::min(1.0, static_cast<double>(t) / 3) * (1 - progress(t));
  });
}
