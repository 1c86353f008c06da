// `accumulate` on many ranks: each gathers its own gradients, and their sums travel once a step. The step is that of one
// process which is given, in one call, the mean over the ranks of what each has gathered.
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/text.hpp>
#include <thalweg/transforms/accumulate.hpp>
#include <thalweg/transforms/tensorwise.hpp>

#include "../message.hpp"
#include "ranks.hpp"

using namespace thalweg;
using test::same_bits;

namespace {

using arrays = test::model<float>::arrays;
const options o{.lr = 0.02, .weight_decay = 0.1, .warmup_steps = 2, .parallel = sequential()};
const auto layers = test::varied_layers();

arrays all_zero() {
  arrays all;
  for (const auto& l : layers) all.emplace_back(element_count(l.shape), 0.0f);
  return all;
}

/// What `accumulate(steps)` has gathered on one rank of the gradients of calls [first, last].
arrays gathered_on(int rank, long steps, long first, long last) {
  test::model<float> m(layers);
  m.values = all_zero();
  optimizer<float> opt("accumulate(steps=" + std::to_string(steps) + ") | apply_update", m.parameters(), {.lr = 1, .parallel = sequential()});
  for (long t = first; t <= last; ++t) opt.step(test::gradients_of<float>(layers, t, rank));
  for (long t = last - first + 1; t < steps; ++t) opt.step(all_zero());
  for (auto& array : m.values)
    for (float& x : array) x = 0 - x;
  return m.values;
}

/// The one gradient that makes of `steps`, a power of two, calls the mean of what the ranks have gathered.
arrays in_one_call(long steps, long first, long last) {
  auto mean = test::mean_over_ranks<float>([&](int r) { return gathered_on(r, steps, first, last); });
  for (auto& array : mean)
    for (float& x : array) x *= static_cast<float>(steps);
  return mean;
}

struct trained {
  long steps;
  test::model<float> m{layers}, alone{layers};
  optimizer<float> opt, one;

  trained(const std::string& chain, long n, mpi::layout layout, std::size_t elements_a_message = 1000)
      : steps(n), opt(mpi::optimizer(chain, m.parameters(), o, {.layout = layout, .elements_a_message = elements_a_message})),
        one(chain, alone.parameters(), o) {}
  /// Calls [first, last] of the ranks, and as many of the one process: the mean of all, and zeros.
  void go_on(long first, long last) {
    for (long t = first; t <= last; ++t) {
      const auto before = test::sent_so_far();
      const auto report = opt.step(test::gradients_of<float>(layers, t, test::rank()));
      CHECK(test::sent_since(before) == (report.taken ? test::promised(opt) : test::mail()));
      const auto expected = one.step(t == first ? in_one_call(steps, first, last) : all_zero());
      CHECK(report.taken == expected.taken);
      CHECK(report.gradient_norm == expected.gradient_norm);
      CHECK(same_bits(m.values, alone.values));
    }
  }
  void check_same() {
    CHECK(same_bits(m.values, alone.values));
    CHECK(opt.steps() == one.steps());
    const std::string bytes = one.to_bytes();
    CHECK(opt.to_bytes() == (test::rank() == 0 ? bytes : ""));
  }
};

constexpr mpi::layout where_all_have_all[] = {mpi::layout::sharded_state, mpi::layout::replicated};

}  // namespace

TEST_CASE("ranks that gather step as one process with the mean of what each has gathered") {
  for (const auto layout : where_all_have_all)
    for (const char* chain : {"accumulate(steps=4) | amuse", "when_finite | accumulate(steps=4) | clip_by_global_norm(max_norm=0.5) | muon"}) {
      CAPTURE(chain);
      trained t(chain, 4, layout);
      t.go_on(1, 4);
      t.go_on(5, 8);
      t.check_same();
      t.go_on(9, 11);  // too few for a step
      CHECK(t.opt.flush().taken);
      CHECK(t.one.flush().taken);
      t.check_same();
      t.go_on(12, 12);
      t.opt.drop();
      t.one.drop();
      t.go_on(13, 16);
      t.check_same();
    }
}

TEST_CASE("a checkpoint between two calls of a step holds what the ranks have gathered, and the step goes on from it") {
  for (const auto layout : where_all_have_all) {
    trained t("accumulate(steps=4) | adamw", 4, layout);
    t.go_on(1, 2);
    t.check_same();
    const std::string bytes = t.one.to_bytes();
    auto late = t.m;
    auto again = mpi::optimizer("accumulate(steps=4) | adamw", late.parameters(), o, {.layout = layout});
    again.load_bytes(bytes);
    for (long step = 3; step <= 8; ++step) again.step(test::gradients_of<float>(layers, step, test::rank()));
    t.go_on(3, 4);
    t.go_on(5, 8);
    t.check_same();
    CHECK(same_bits(late.values, t.m.values));
  }
}

TEST_CASE("a call with a gradient that is not finite on one rank is left out on all") {
  trained t("when_finite | accumulate(steps=2) | adamw", 2, mpi::layout::sharded_state);
  t.go_on(1, 1);
  auto gradients = test::gradients_of<float>(layers, 2, test::rank());
  if (test::rank() + 1 == test::rank_count()) gradients[2][3] = std::numeric_limits<float>::infinity();
  const auto report = t.opt.step(gradients);
  CHECK(!report.taken);
  CHECK(report.parameter == "w2");
  t.check_same();
  t.go_on(2, 2);
  t.go_on(3, 4);
  t.check_same();
}

TEST_CASE("a gradient that some ranks lack is zero there; a parameter that lacks all gradients of a step stands still") {
  trained t("accumulate(steps=2) | adamw", 2, mpi::layout::sharded_state);
  for (long step = 1; step <= 5; step += 2) {
    // Only rank 0 has a gradient of 'w1', and only in the first call; in the second step nobody has one of 'b1'.
    const auto given = [&](long call, int rank) {
      auto all = test::gradients_of<float>(layers, call, rank);
      if (rank != 0 || call != step) std::ranges::fill(all[0], 0.0f);
      if (step == 3) std::ranges::fill(all[1], 0.0f);
      return all;
    };
    const auto halves = [&](int rank) {
      auto sum = given(step, rank);
      const auto more = given(step + 1, rank);
      for (std::size_t i = 0; i < sum.size(); ++i)
        for (std::size_t k = 0; k < sum[i].size(); ++k) sum[i][k] = sum[i][k] / 2 + more[i][k] / 2;
      return sum;
    };
    auto mean = test::mean_over_ranks<float>(halves);
    for (auto& array : mean)
      for (float& x : array) x *= 2;
    for (long call = step; call <= step + 1; ++call) {
      const auto own = given(call, test::rank());
      std::vector<std::optional<std::span<const float>>> views, of_one;
      const auto nothing = all_zero();
      for (std::size_t i = 0; i < own.size(); ++i) {
        const bool lacks = (i == 0 && (test::rank() != 0 || call != step)) || (i == 1 && step == 3);
        if (lacks) views.emplace_back();
        else views.emplace_back(own[i]);
        if (i == 1 && step == 3) of_one.emplace_back();
        else of_one.emplace_back(call == step ? mean[i] : nothing[i]);
      }
      CHECK(t.opt.step(views).without_gradient == t.one.step(of_one).without_gradient);
    }
    t.check_same();
  }
}

TEST_CASE("where the step of a call throws on one rank, the call may be repeated") {
  test::model<float> m(layers), alone(layers);
  bool stumbles = false;
  const auto chain = accumulate{.steps = 2} | tensorwise("stumble", [&](tensor<float> update) {
    if (stumbles && update.name == "w1") throw std::runtime_error("stumbled");  // its owner alone sees it
  });
  auto opt = mpi::optimizer(chain, m.parameters(), o, {.elements_a_message = 100});
  optimizer<float> one(chain, alone.parameters(), o);
  for (long t = 1; t <= 3; t += 2) {
    const auto before = m.values;
    opt.step(test::gradients_of<float>(layers, t, test::rank()));
    stumbles = true;
    CHECK(test::message([&] { opt.step(test::gradients_of<float>(layers, t + 1, test::rank())); }).find("stumbled") != std::string::npos);
    CHECK(same_bits(m.values, before));
    stumbles = false;
    CHECK(opt.step(test::gradients_of<float>(layers, t + 1, test::rank())).taken);
    one.step(in_one_call(2, t, t + 1));
    one.step(all_zero());
    CHECK(same_bits(m.values, alone.values));
  }
}
