#include <doctest/doctest.h>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::descends;
using training::subject;
using training::suite;

TEST_CASE("scale_by_adam") {
  const subject s = scale_by_adam{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::adam(0.8, 0.9, 1e-3));
  descends(scale_by_adam{}, oracle::adam(0.9, 0.999, 1e-8));
}

TEST_CASE("scale_by_exp_avg_sq") {
  const subject s = scale_by_exp_avg_sq{.beta2 = 0.9, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::second_moment(0.9, 1e-3));
  descends(scale_by_exp_avg_sq{}, oracle::second_moment(0.999, 1e-10));
}

TEST_CASE("scale_by_rms") {
  const subject s = scale_by_rms{.beta = 0.9, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::rms(0.9, 1e-3));
  descends(scale_by_rms{}, oracle::rms(0.99, 1e-8));
}

TEST_CASE("scale_by_rss") {
  const subject s = scale_by_rss{.initial = 0.1, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::rss(0.1, 1e-3));
  descends(scale_by_rss{}, oracle::rss(0, 1e-10));
}
