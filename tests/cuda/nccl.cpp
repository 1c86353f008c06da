// The GPUs of any number of ranks take the steps of one GPU that is given the mean of their gradients, bit for bit. GPUs and NCCL
// are those of tests/cuda/emulated.
#include <limits>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/cuda/nccl.hpp>
#include <thalweg/cuda/orthogonalize_update.hpp>
#include <thalweg/recipes/adamw.hpp>
#include <thalweg/recipes/amuse.hpp>
#include <thalweg/transforms.hpp>

#include "model_on_device.hpp"
#include "own_stream.hpp"
#include "../message.hpp"
#include "../mpi/ranks.hpp"

using namespace thalweg;
using test::same_bits;

namespace {

const options o{.lr = 0.02, .weight_decay = 0.1, .warmup_steps = 2};

bool has(const std::string& text, const std::string& words) { return text.find(words) != std::string::npos; }

template <class T>
struct pair_of_models {
  std::vector<test::layer> layers = test::varied_layers();
  test::model_on_device<T> ranks{layers}, alone{layers};

  template <class Optimizer, class One>
  void step(Optimizer& opt, One& one, long t) {
    ranks.gradients.put(test::gradients_of<T>(layers, t, test::rank()));
    alone.gradients.put(test::mean_of_ranks<T>(layers, t));
    CHECK(opt.step(ranks.gradients.spans()).taken == one.step(alone.gradients.spans()).taken);
    check_same();
  }
  void check_same() {
    CHECK(same_bits(ranks.values.get(), alone.values.get()));
    CHECK(ranks.values.sentinels_stand());
    CHECK(ranks.gradients.sentinels_stand());
  }
};

template <class T, class Chain>
void check_training(const Chain& chain, mpi::layout layout, std::size_t elements_a_message) {
  CAPTURE(static_cast<int>(layout));
  CAPTURE(elements_a_message);
  pair_of_models<T> m;
  const mpi::ranks by{.layout = layout, .elements_a_message = elements_a_message};
  auto opt = nccl::optimizer(chain, m.ranks.parameters(), o, nullptr, by);
  auto one = cuda::optimizer(chain, m.alone.parameters(), o);
  for (long t = 1; t <= 3; ++t) m.step(opt, one, t);
  {
    const auto at_x = opt.evaluation_point();
    const auto at_x_alone = one.evaluation_point();
    m.check_same();
    const std::string bytes = one.to_bytes();
    CHECK(opt.to_bytes() == (test::rank() == 0 ? bytes : ""));
  }
  m.check_same();
  const std::string bytes = one.to_bytes();
  CHECK(opt.to_bytes() == (test::rank() == 0 ? bytes : ""));

  test::model_on_device<T> again(m.layers);
  again.values.put(m.alone.values.get());
  auto late = nccl::optimizer(chain, again.parameters(), o, nullptr, by);
  late.load_bytes(bytes);
  again.gradients.put(test::gradients_of<T>(m.layers, 4, test::rank()));
  late.step(again.gradients.spans());
  m.step(opt, one, 4);
  CHECK(same_bits(again.values.get(), m.alone.values.get()));
}

constexpr mpi::layout layouts[] = {mpi::layout::sharded_state, mpi::layout::replicated};

}  // namespace

TEST_CASE("the GPUs of many ranks take the steps of one that is given the mean of their gradients") {
  for (const auto layout : layouts)
    for (const std::size_t elements : {1 << 16, 1000}) {
      check_training<float>(recipes::amuse(), layout, elements);
      check_training<float>(clip_by_global_norm{.max_norm = 0.5} | scale_by_trust_ratio{} | update_by_schedule_free{}, layout, elements);
    }
}

TEST_CASE("in double, a step that may stop, and calls that gather") {
  for (const auto layout : layouts)
    check_training<double>(when_finite{} | accumulate{.steps = 2} | clip_by_global_norm{.max_norm = 0.5} | scale_by_adam{}, layout, 1000);
}

TEST_CASE("a gradient that is not finite on one rank makes all skip") {
  pair_of_models<float> m;
  auto opt = nccl::optimizer(when_finite{} | scale_by_adam{}, m.ranks.parameters(), o);
  auto gradients = test::gradients_of<float>(m.layers, 1, test::rank());
  if (test::rank() == test::rank_count() - 1) gradients[2][3] = std::numeric_limits<float>::quiet_NaN();
  m.ranks.gradients.put(gradients);
  const auto before = m.ranks.values.get();
  const auto report = opt.step(m.ranks.gradients.spans());
  CHECK(!report.taken);
  CHECK(report.parameter == "w2");
  CHECK(same_bits(m.ranks.values.get(), before));
}

TEST_CASE("what GPUs of many ranks cannot do is refused on all of them") {
  const int last = test::rank_count() - 1;
  pair_of_models<float> m;
  const test::own_stream own;
  const auto chain = when_finite{} | scale_by_adam{};
  CHECK(has(test::message([&] { static_cast<void>(nccl::optimizer(chain, m.ranks.parameters(), o, nullptr, {.layout = mpi::layout::sharded_rows})); }),
            "[nccl] Expected sharded state or replicated ranks on GPUs."));
  auto parameters = m.ranks.parameters();
  if (test::rank() == last) parameters[1].data = m.ranks.host.values[1].data();
  CHECK(has(test::message([&] { static_cast<void>(nccl::optimizer(chain, parameters, o)); }), "[cuda] Expected memory of the current device"));
  auto opt = nccl::optimizer(chain, m.ranks.parameters(), o, own.stream);
  auto spans = m.ranks.gradients.spans();
  if (test::rank() == last) spans[0] = m.ranks.host.gradients[0];
  CHECK(has(test::message([&] { opt.step(spans); }), "[cuda] Expected memory of the current device as the gradient of"));
  opt.step(m.ranks.gradients.spans());
  own.begin_capture();
  CHECK(has(test::message([&] { opt.step(m.ranks.gradients.spans()); }), "[nccl] Expected a stream that does not capture."));
  thalweg::cuda::check("a graph that goes", cudaGraphDestroy(own.end_capture()));
  CHECK(opt.steps() == 1);
  const std::string said = opt.describe();
  CHECK(has(said, "rank " + std::to_string(test::rank()) + " of " + std::to_string(test::rank_count()) + " by NCCL (sharded state, "));
}
