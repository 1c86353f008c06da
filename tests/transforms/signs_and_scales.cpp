#include <doctest/doctest.h>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::descends;
using oracle::in_turn;
using training::subject;
using training::suite;

TEST_CASE("scale_by_lion") {
  const subject s = scale_by_lion{.beta1 = 0.6, .beta2 = 0.8};
  suite(s);
  descends(s, oracle::lion(0.6, 0.8));
  descends(scale_by_lion{}, oracle::lion(0.9, 0.99));
}

TEST_CASE("scale_by_sign behind ema") {
  const subject s = ema{.beta = 0.8} | scale_by_sign{};
  suite(s);
  descends(s, in_turn(oracle::ema(0.8), oracle::signs()));
}

TEST_CASE("scale") {
  const subject s = scale{.by = -0.7};
  suite(s);
  descends(s, oracle::times(-0.7));
}

TEST_CASE("decay_weights at the head, in the momentum") {
  const subject s = decay_weights{} | heavyball_momentum{.beta = 0.8};
  suite(s);
  descends(s, oracle::heavyball(0.8), oracle::decay::into_the_gradient);
}

TEST_CASE("decay_weights at the end, decoupled") {
  const subject s = heavyball_momentum{.beta = 0.8} | decay_weights{};
  suite(s);
  descends(s, oracle::heavyball(0.8));
}

TEST_CASE("three kernels in a row") {
  const subject s = scale{.by = 0.5} | nesterov_ema{.beta = 0.8} | scale_by_adam{.beta1 = 0.6, .beta2 = 0.7};
  suite(s);
  descends(s, in_turn(oracle::times(0.5), in_turn(oracle::nesterov_ema(0.8), oracle::adam(0.6, 0.7, 1e-8))));
}

TEST_CASE("scale_by_rprop") {
  subject s = scale_by_rprop{.initial = 0.1, .longer = 1.5, .shorter = 0.4, .least = 0.03, .longest = 0.2};
  std::erase_if(s.inside, [](const auto& e) {  // least <= longest: each end is refused while the other field has its value here
    return (e.refusal.find(" least ") != std::string::npos && e.value > 0.2) || (e.refusal.find(" longest ") != std::string::npos && e.value < 0.03);
  });
  suite(s);
  descends(s, [](const oracle::history& u) {
    return oracle::each(u.back(), [&, k = std::size_t{0}](double) mutable {
      double previous = 0, step = 0.1, last = 0;
      for (const auto& g : u) {
        last = g[k];
        if (last * previous > 0) step = std::min(1.5 * step, 0.2);
        if (last * previous < 0) step = std::max(0.4 * step, 0.03), last = 0;
        previous = last;
      }
      ++k;
      return step * static_cast<double>((last > 0) - (last < 0));
    });
  });
}
