// Where one rank fails, or does something else, all throw: none waits.
#include <limits>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/text.hpp>
#include <thalweg/transforms/tensorwise.hpp>

#include "../message.hpp"
#include "ranks.hpp"

using namespace thalweg;
using test::same_bits;

namespace {

const options o{.lr = 0.02, .warmup_steps = 2, .parallel = sequential()};
const auto layers = test::small_layers();

int last() { return test::rank_count() - 1; }
bool is_last() { return test::rank() == last(); }
bool has(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

/// What all ranks are told of the last one's failure.
void check_told(const std::string& said, const std::string& own) {
  CAPTURE(said);
  CHECK(has(said, own));
  if (!is_last()) CHECK(has(said, "[mpi] Expected every rank to succeed. Received from rank " + std::to_string(last())));
}

}  // namespace

TEST_CASE("a gradient of the wrong size on one rank stops all, before anything is written") {
  test::model<float> m(layers), before(layers);
  auto opt = mpi::optimizer("amuse", m.parameters(), o);
  auto gradients = test::gradients_of<float>(layers, 1, test::rank());
  if (is_last()) gradients[1].pop_back();
  check_told(test::message([&] { opt.step(gradients); }), "[step] Expected a gradient of 7 elements for 'b1'");
  CHECK(same_bits(m.values, before.values));
  CHECK(opt.steps() == 0);
  opt.step(test::gradients_of<float>(layers, 1, test::rank()));
  CHECK(opt.steps() == 1);
  gradients = test::gradients_of<float>(layers, 1, test::rank());
  if (is_last()) gradients.pop_back();
  check_told(test::message([&] { opt.step(gradients); }), "[step] Expected 5 gradients");
}

TEST_CASE("a gradient that one rank lacks is zero there; one that all lack is none") {
  test::model<float> m(layers), alone(layers);
  auto opt = mpi::optimizer("adamw", m.parameters(), o);
  optimizer<float> one("adamw", alone.parameters(), o);
  for (long t = 1; t <= 3; ++t) {
    std::vector<std::optional<std::span<const float>>> own, of_all;
    auto gradients = test::gradients_of<float>(layers, 1, test::rank());
    auto mean = test::gradients_of<float>(layers, 1, 0);
    for (int r = 1; r <= last(); ++r) {
      const auto more = test::gradients_of<float>(layers, 1, r);
      for (std::size_t i = 0; i < mean.size(); ++i)
        for (std::size_t k = 0; k < mean[i].size(); ++k) mean[i][k] += i == 0 && r == last() ? 0 : more[i][k];
    }
    for (std::size_t i = 0; i < mean.size(); ++i) {
      for (float& x : mean[i]) x *= 1.0f / static_cast<float>(test::rank_count());
      const bool all_lack = i == 1 && t > 1, lacks = i == 0 && is_last() && last() > 0;
      if (all_lack || lacks) own.emplace_back();
      else own.emplace_back(gradients[i]);
      if (all_lack) of_all.emplace_back();
      else of_all.emplace_back(mean[i]);
    }
    CHECK(opt.step(own).without_gradient == one.step(of_all).without_gradient);
    CHECK(same_bits(m.values, alone.values));
  }
}

TEST_CASE("a gradient that is not finite on one rank makes all skip") {
  test::model<float> m(layers), before(layers);
  auto opt = mpi::optimizer("when_finite | adamw", m.parameters(), o);
  auto gradients = test::gradients_of<float>(layers, 1, test::rank());
  if (is_last()) gradients[2][3] = std::numeric_limits<float>::quiet_NaN();
  const auto report = opt.step(gradients);
  CHECK(!report.taken);
  CHECK(report.parameter == "w2");
  CHECK(same_bits(m.values, before.values));
}

TEST_CASE("a function of the user's that throws in mid-step on one rank leaves all as before") {
  test::model<float> m(layers), alone(layers);
  bool stumbles = false;
  const auto chain = tensorwise("stumble", [&](tensor<float> update) {
    if (stumbles && update.name == "w1") throw std::runtime_error("stumbled");  // its owner alone sees it
  });
  auto opt = mpi::optimizer(chain, m.parameters(), o, {.elements_a_message = 4});  // in several buckets
  optimizer<float> one("apply_update", alone.parameters(), o);
  for (long t = 1; t <= 2; ++t) {
    const auto before = m.values;
    stumbles = true;
    const std::string said = test::message([&] { opt.step(test::gradients_of<float>(layers, t, test::rank())); });
    CHECK((said == "stumbled" || has(said, ": stumbled")));
    CHECK(same_bits(m.values, before));
    stumbles = false;
    opt.step(test::gradients_of<float>(layers, t, test::rank()));
    one.step(test::mean_of_ranks<float>(layers, t));
    CHECK(same_bits(m.values, alone.values));
  }
}

TEST_CASE("with sharded rows, a step that throws leaves every rank's rows as before") {
  test::model<float> alone(test::varied_layers());
  test::shard<float> m(alone, test::rank(), test::rank_count());
  bool stumbles = true;
  const std::string last_one = alone.parameters().back().name;
  const auto chain = tensorwise("stumble", [&](tensor<float> update) {
    if (stumbles && update.name == last_one) throw std::runtime_error("stumbled");
  });
  auto opt = mpi::optimizer(chain, m.parameters(), o, {.layout = mpi::layout::sharded_rows, .elements_a_message = 4});
  optimizer<float> one("apply_update", alone.parameters(), o);
  for (long t = 1; t <= 2; ++t) {
    alone.differentiate(t);
    const auto own = m.of(alone.gradients);
    const auto before = m.values;
    stumbles = true;
    CHECK(has(test::message([&] { opt.step(own); }), "stumbled"));
    CHECK(same_bits(m.values, before));
    stumbles = false;
    opt.step(own);
    one.step(alone.gradients);
    CHECK(same_bits(m.values, m.of(alone.values)));
  }
}

TEST_CASE("a rank that saves while the others step is told so, and so are they") {
  if (last() == 0) return;
  for (const std::string chain : {"adamw", "accumulate(steps=4) | adamw", "amuse"})
    for (const auto layout : {mpi::layout::sharded_state, mpi::layout::replicated}) {
      CAPTURE(chain);
      test::model<float> m(layers);
      auto opt = mpi::optimizer(chain, m.parameters(), o, {.layout = layout});
      const auto step = [&] { opt.step(test::gradients_of<float>(layers, 1, test::rank())); };
      step();
      const auto before = m.values;
      const std::string said = test::message([&] {
        if (is_last()) static_cast<void>(opt.to_bytes());
        else step();
      });
      CHECK(has(said, "[mpi] Expected"));
      CHECK(same_bits(m.values, before));
      step();  // they go on
    }
}

TEST_CASE("ranks that do not bind the same are told the first difference") {
  if (last() == 0) return;
  const auto bind = [](const std::string& chain, options with, std::vector<test::layer> of, float first = 0) {
    return test::message([&] {
      test::model<float> m(of);
      if (first != 0) m.values[2][0] = first;
      static_cast<void>(mpi::optimizer(chain, m.parameters(), with));
    });
  };
  options other = o;
  if (is_last()) other.lr = 0.03;
  const std::string lr = bind("adamw", other, layers);
  CAPTURE(lr);
  CHECK(has(lr, "[mpi] Expected the same optimizer on every rank. Received on rank 0: options: options(lr=0.02"));
  CHECK(has(lr, "; on rank " + std::to_string(last()) + ": options: options(lr=0.03"));
  CHECK(has(bind(is_last() ? "adamw(beta2=0.9)" : "adamw", o, layers), "; on rank " + std::to_string(last()) + ": chain: "));
  CHECK(has(bind("adamw", o, layers, is_last() ? 3.0f : 1.0f), "on rank 0: parameter 'w2'"));
  auto fewer = layers;
  if (is_last()) fewer.pop_back();
  CHECK(has(bind("adamw", o, fewer), "on rank 0: 5 parameters; on rank " + std::to_string(last()) + ": 4 parameters"));
  check_told(bind(is_last() ? "adamv" : "adamw", o, layers), "[parse] ");
  options wrong = o;
  if (is_last()) wrong.lr = -1;
  check_told(bind("adamw", wrong, layers), "lr");
}

TEST_CASE("ranks with different layouts, or with a size that is refused on one, are told so") {
  if (last() == 0) return;
  test::model<float> m(layers);
  const auto bind_as = [&](mpi::layout l, std::size_t elements) {
    return test::message([&] {
      mpi::optimizer("adamw", m.parameters(), o, {.layout = l, .elements_a_message = elements});
    });
  };
  for (const auto l : {mpi::layout::sharded_rows, mpi::layout::replicated}) {
    const std::string said = bind_as(is_last() ? l : mpi::layout::sharded_state, 1024);
    CAPTURE(said);
    CHECK(has(said, "layout: sharded state"));
    CHECK(has(said, l == mpi::layout::replicated ? "layout: replicated" : "layout: sharded rows"));
    CHECK(has(bind_as(l, is_last() ? 0 : 1024), "elements_a_message"));
  }
}

TEST_CASE("ranks that call different things, or with different numbers, are told so") {
  if (last() == 0) return;
  test::model<float> m(layers);
  auto opt = mpi::optimizer("amuse", m.parameters(), o);
  opt.step(test::gradients_of<float>(layers, 1, test::rank()));
  if (is_last()) opt.lr(0.5);
  const std::string said = test::message([&] { opt.step(test::gradients_of<float>(layers, 2, test::rank())); });
  CAPTURE(said);
  CHECK(has(said, "[mpi] Expected the same call on every rank. Received 'step after 1 calls, options(lr=0.02"));
  CHECK(has(said, "'step after 1 calls, options(lr=0.5"));
  opt.lr(0.5);
  opt.step(test::gradients_of<float>(layers, 2, test::rank()));
  const std::string other = test::message([&] {
    if (is_last()) static_cast<void>(opt.evaluation_point());
    else opt.step(test::gradients_of<float>(layers, 3, test::rank()));
  });
  CHECK(has(other, "Received 'step after 2 calls"));
  CHECK(has(other, "'evaluation_point after 2 calls"));
  const std::string loss = test::message([&] {
    opt.step(test::gradients_of<float>(layers, 3, test::rank()), {.loss = is_last() ? std::optional(1.0) : std::nullopt});
  });
  CHECK(has(loss, "[step] Expected a loss on every rank, or on none. Received it not on rank 0, but on rank "));
}

TEST_CASE("two optimizers on two threads") {
  test::model<float> a(layers), b(layers);
  MPI_Comm second = MPI_COMM_NULL;
  MPI_Comm_dup(MPI_COMM_WORLD, &second);
  const auto train = [](test::model<float>& m, MPI_Comm on) {
    auto opt = mpi::optimizer("amuse", m.parameters(), o, {.communicator = on});
    for (long t = 1; t <= 20; ++t) opt.step(test::gradients_of<float>(layers, t, test::rank()));
  };
  std::thread beside([&] { train(a, second); });
  train(b, MPI_COMM_WORLD);
  beside.join();
  MPI_Comm_free(&second);
  CHECK(same_bits(a.values, b.values));
}

TEST_CASE("describe says how the work is shared") {
  test::model<float> m(layers);
  const auto opt = mpi::optimizer("amuse", m.parameters(), o);
  const std::string said = opt.describe();
  CAPTURE(said);
  CHECK(has(said, "rank " + std::to_string(test::rank()) + " of " + std::to_string(test::rank_count()) + " by MPI (sharded state, "
                  "costliest rank "));
}
