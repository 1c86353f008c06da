#include <doctest/doctest.h>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::descends;
using training::subject;
using training::suite;

TEST_CASE("ema") {
  const subject s = ema{.beta = 0.8};
  suite(s);
  descends(s, oracle::ema(0.8));
}

TEST_CASE("heavyball_momentum") {
  const subject s = heavyball_momentum{.beta = 0.8};
  suite(s);
  descends(s, oracle::heavyball(0.8));
  descends(heavyball_momentum{}, oracle::heavyball(0.9));
}

TEST_CASE("nesterov_momentum") {
  const subject s = nesterov_momentum{.beta = 0.8};
  suite(s);
  descends(s, oracle::nesterov(0.8));
  descends(nesterov_momentum{}, oracle::nesterov(0.9));
}

TEST_CASE("nesterov_ema") {
  const subject s = nesterov_ema{.beta = 0.8};
  suite(s);
  descends(s, oracle::nesterov_ema(0.8));
  descends(nesterov_ema{}, oracle::nesterov_ema(0.95));
}

TEST_CASE("nesterov_ema with add_ema") {
  const subject s = nesterov_ema{.beta = 0.8, .look_ahead = add_ema};
  suite(s);
  descends(s, oracle::gradient_and_ema(0.8));
}
