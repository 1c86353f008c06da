// The recipes without a route or an average, beside their papers, at their defaults and at other numbers.
#include <doctest/doctest.h>
#include <thalweg/thalweg.hpp>

#include "../transforms/agreement.hpp"

using namespace thalweg;
using oracle::descends;
using training::subject;
using training::suite;

constexpr auto l2 = oracle::decay::into_the_gradient;

TEST_CASE("recipe: sgd") {
  const subject s = recipes::sgd();
  suite(s);
  descends(s, oracle::heavyball(0.9), l2);
  descends(recipes::sgd({.momentum = 0.5}), oracle::heavyball(0.5), l2);
  descends(recipes::sgd({.momentum = 0}), oracle::gradient(), l2);
}

TEST_CASE("recipe: adam") {
  const subject s = recipes::adam();
  suite(s);
  descends(s, oracle::adam(0.9, 0.999, 1e-8), l2);
  descends(recipes::adam({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1}), oracle::adam(0.5, 0.8, 0.1), l2);
}

TEST_CASE("recipe: adamw") {
  const subject s = recipes::adamw();
  suite(s);
  descends(s, oracle::adam(0.9, 0.999, 1e-8));
  descends(recipes::adamw({.beta1 = 0.5, .beta2 = 0.8, .epsilon = 0.1}), oracle::adam(0.5, 0.8, 0.1));
}

TEST_CASE("recipe: lion") {
  const subject s = recipes::lion();
  suite(s);
  descends(s, oracle::lion(0.9, 0.99));
  descends(recipes::lion({.beta1 = 0.5, .beta2 = 0.8}), oracle::lion(0.5, 0.8));
}

TEST_CASE("recipe: rmsprop") {
  const subject s = recipes::rmsprop();
  suite(s);
  descends(s, oracle::rms(0.99, 1e-8), l2);
  descends(recipes::rmsprop({.beta = 0.5, .epsilon = 0.1}), oracle::rms(0.5, 0.1), l2);
}

TEST_CASE("recipe: adagrad") {
  const subject s = recipes::adagrad();
  suite(s);
  descends(s, oracle::rss(0, 1e-10), l2);
  descends(recipes::adagrad({.initial = 0.5, .epsilon = 0.1}), oracle::rss(0.5, 0.1), l2);
}
