// Adam's relatives, each beside its paper.
#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/transforms.hpp>

#include "agreement.hpp"

using namespace thalweg;
using oracle::descends;
using training::subject;
using training::suite;

TEST_CASE("scale_by_amsgrad") {
  const subject s = scale_by_amsgrad{.beta1 = 0.8, .beta2 = 0.6, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::amsgrad(0.8, 0.6, 1e-3));
  descends(scale_by_amsgrad{}, oracle::amsgrad(0.9, 0.999, 1e-8));
}

TEST_CASE("scale_by_nadam") {
  const subject s = scale_by_nadam{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3, .momentum_decay = 0.3};
  suite(s);
  descends(s, oracle::nadam(0.8, 0.9, 1e-3, 0.3));
  descends(scale_by_nadam{}, oracle::nadam(0.9, 0.999, 1e-8, 0.004));
}

TEST_CASE("scale_by_radam") {
  const subject s = scale_by_radam{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3};  // adapts from the sixth step on
  suite(s);
  descends(s, oracle::radam(0.8, 0.9, 1e-3));
  descends(scale_by_radam{}, oracle::radam(0.9, 0.999, 1e-8));
  descends(scale_by_radam{.beta2 = 0.5}, oracle::radam(0.9, 0.5, 1e-8));  // never
}

TEST_CASE("rectify_lr") {
  auto s = oracle::dozen();
  s.options.warmup_steps = 0;
  const auto& p = s.parameters.front();
  const subject chain = rectify_lr{.beta2 = 0.8} | ema{.beta = 0.5};
  suite(chain);
  const auto y = oracle::descend(oracle::start(p), oracle::gradients(s, p), oracle::ema(0.5), s.options.weight_decay,
                                 [&](long t) {
                                   const oracle::rectification r(0.8, static_cast<std::size_t>(t));
                                   return r.seen > 4 ? r.by * s.options.lr : 0.0;
                                 });
  oracle::agrees(chain, s, {{y}, {y}});
}

TEST_CASE("scale_by_adopt") {
  auto s = oracle::dozen();
  s.options.weight_decay = 0;  // the oracle would decay at the first step
  const subject adopt = scale_by_adopt{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3};
  suite(adopt);
  descends(adopt, oracle::adopt(0.8, 0.9, 1e-3), oracle::decay::decoupled, s);
  descends(scale_by_adopt{}, oracle::adopt(0.9, 0.9999, 1e-6), oracle::decay::decoupled, s);
  const subject unbiased = scale_by_adopt{.beta1 = 0.8, .beta2 = 0.9, .start = adopt_start::unbiased};
  suite(unbiased);
  descends(unbiased, oracle::unbiased_adopt(0.8, 0.9, 1e-6), oracle::decay::decoupled, s);
}

TEST_CASE("scale_by_laprop") {
  const subject s = scale_by_laprop{.beta1 = 0.8, .beta2 = 0.9, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::in_turn(oracle::second_moment(0.9, 1e-3), oracle::corrected_ema(0.8)));
  descends(scale_by_laprop{}, oracle::in_turn(oracle::second_moment(0.999, 1e-15), oracle::corrected_ema(0.9)));
}

TEST_CASE("scale_by_ademamix") {
  const subject s =
      scale_by_ademamix{.beta1 = 0.8, .beta2 = 0.9, .beta3 = 0.95, .alpha = 3, .epsilon = 1e-3, .rise = 8};
  suite(s);
  const auto risen = [](long t) { return std::min(1.0, static_cast<double>(t) / 8); };
  // ½^(1/h) has half-life h: it is the half-lives that rise in a straight line.
  const auto half_life = [](double beta) { return std::log(0.5) / std::log(beta); };
  const auto slow = [=](long t) {
    return std::pow(0.5, 1 / ((1 - risen(t)) * half_life(0.8) + risen(t) * half_life(0.95)));
  };
  descends(s, oracle::ademamix(0.8, 0.9, 1e-3, slow, [=](long t) { return 3 * risen(t); }));
  descends(scale_by_ademamix{},
           oracle::ademamix(0.9, 0.999, 1e-8, [](long) { return 0.9999; }, [](long) { return 5; }));
}

TEST_CASE("scale_by_adan") {
  const subject s = scale_by_adan{.beta1 = 0.8, .beta2 = 0.7, .beta3 = 0.9, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::adan(0.8, 0.7, 0.9, 1e-3));
  descends(scale_by_adan{}, oracle::adan(0.98, 0.92, 0.99, 1e-8));
}

TEST_CASE("scale_by_factored_rms") {
  const subject s = scale_by_factored_rms{.decay = 0.6, .epsilon = 1e-3} | ema{.beta = 0.8};
  suite(s);
  descends(s, oracle::in_turn(oracle::factored_rms(9, 0.6, 1e-3), oracle::ema(0.8)));
  descends(scale_by_factored_rms{}, oracle::factored_rms(9, 0.8, 1e-30));
}

TEST_CASE("scale_by_factored_rms keeps a vector's whole second moment") {
  auto s = oracle::dozen();
  s.parameters.front().shape = {45};
  descends(scale_by_factored_rms{.decay = 0.6}, oracle::factored_rms(1, 0.6, 1e-30), oracle::decay::decoupled, s);
}

TEST_CASE("scale_by_row_rms") {
  const subject s = ema{.beta = 0.8} | scale_by_row_rms{.beta2 = 0.9, .epsilon = 1e-3};
  suite(s);
  descends(s, oracle::in_turn(oracle::ema(0.8), oracle::row_rms(9, 0.9, 1e-3)));
}
