#include <doctest/doctest.h>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using training::subject;
using training::suite;

// Their oracles are in tests/runtime/learned_rates.cpp.
TEST_CASE("scale_by_dog and scale_by_layer_dog") {
  suite(scale_by_dog{.initial = 0.01} | ema{.beta = 0.8});
  suite(scale_by_layer_dog{.initial = 0.01});
}

TEST_CASE("scale_by_prodigy") {
  suite(scale_by_prodigy{.beta2 = 0.9, .epsilon = 1e-3, .initial = 0.01});
  suite(scale_by_prodigy{.epsilon = 1e-3, .initial = 0.05, .growth = 1.5, .bias = moment_bias::corrected, .weight = prodigy_weight::distance} |
        update_by_schedule_free{});
}

TEST_CASE("update_by_mechanic") { suite(ema{.beta = 0.8} | update_by_mechanic{.initial = 0.01}); }

TEST_CASE("update_by_schedule_free_polyak") {
  suite(scale_by_exp_avg_sq{.beta2 = 0.8} |
        update_by_schedule_free_polyak{.beta = 0.5, .steps = 5, .last_beta = 0.9, .norm_beta = 0.75});
}
