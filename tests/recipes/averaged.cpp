// Schedule-Free SGD and AdamW, beside their paper.
#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>

#include "../transforms/agreement.hpp"

using namespace thalweg;
using oracle::averages;
using training::subject;
using training::suite;

TEST_CASE("recipe: sf_sgd") {
  const subject s = recipes::sf_sgd();
  suite(s);
  averages(s, oracle::gradient(), oracle::constant(0.9), decay_point::y);
  averages(recipes::sf_sgd({.beta = 0.5}), oracle::gradient(), oracle::constant(0.5), decay_point::y);
}

TEST_CASE("recipe: sf_adamw") {
  const subject s = recipes::sf_adamw();
  suite(s);
  averages(s, oracle::second_moment(0.999, 1e-8), oracle::constant(0.9), decay_point::y);
  averages(recipes::sf_adamw({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1}), oracle::second_moment(0.8, 0.1),
           oracle::constant(0.5), decay_point::y);
}

TEST_CASE("recipe: sf_plus") {
  suite(recipes::sf_plus({.beta1 = 0.6, .beta2 = 0.8, .beta = 0.5, .steps = 5, .last_beta = 0.9, .norm_beta = 0.5,
                          .average_steps = 3}));
}

TEST_CASE("recipe: sf_radam") {
  suite(recipes::sf_radam({.beta1 = 0.6, .beta2 = 0.8}));  // from the fifth step on
}
