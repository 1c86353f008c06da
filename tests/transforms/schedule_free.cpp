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
  thalweg::warmup warmup{};
  thalweg::linear linear{.final = 1};
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
