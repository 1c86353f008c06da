// Any number of ranks takes the steps of one process that is given the mean of their gradients, bit for bit.
#include <cstring>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/text.hpp>

#include "../message.hpp"
#include "ranks.hpp"

using namespace thalweg;
using test::same_bits;

namespace {

template <class T>
void check_training(const std::string& chain, mpi::layout layout, std::size_t elements_a_message) {
  CAPTURE(chain);
  CAPTURE(static_cast<int>(layout));
  CAPTURE(elements_a_message);
  const auto layers = test::varied_layers();
  test::model<T> m(layers), alone(layers);
  const options o{.lr = 0.02, .weight_decay = 0.1, .warmup_steps = 2, .parallel = sequential()};
  auto opt = mpi::optimizer(chain, m.parameters(), o, {.layout = layout, .elements_a_message = elements_a_message});
  optimizer<T> one(chain, alone.parameters(), o);
  for (long t = 1; t <= 4; ++t) {
    const double loss = 1 + test::noise(7, static_cast<std::uint64_t>(t * 16 + test::rank()));
    double sum = 0;
    for (int r = 0; r < test::rank_count(); ++r) sum += 1 + test::noise(7, static_cast<std::uint64_t>(t * 16 + r));
    const auto report = opt.step(test::gradients_of<T>(layers, t, test::rank()), {.loss = loss, .measure = measure::norms});
    const auto expected = one.step(test::mean_of_ranks<T>(layers, t), {.loss = sum * (1.0 / test::rank_count()), .measure = measure::norms});
    CHECK(report.taken == expected.taken);
    CHECK(report.lr == expected.lr);
    CHECK(report.gradient_norm == expected.gradient_norm);
    REQUIRE(report.parameters.size() == expected.parameters.size());
    for (std::size_t i = 0; i < report.parameters.size(); ++i) {
      CHECK(report.parameters[i].name == expected.parameters[i].name);
      CHECK(report.parameters[i].update_norm == expected.parameters[i].update_norm);
    }
    CHECK(same_bits(m.values, alone.values));
  }
  CHECK(test::both_x(m, opt) == test::both_x(alone, one));
  CHECK(same_bits(m.values, alone.values));
  opt.flush();
  one.flush();
  CHECK(same_bits(m.values, alone.values));
}

const auto& chains() {
  static const std::vector<std::string> all{
      "adamw",
      "amuse",
      "clip_by_global_norm(max_norm=0.5) | adamw",
      "scale_by_prodigy(initial=0.01) | update_by_schedule_free",
      "when_finite | clip_by_global_norm(max_norm=0.5) | muon",
      "route(when(hidden_matrix, scale_by_soap(period=2)), otherwise(scale_by_adam)) | report_gradient_norm | apply_update",
      "scale_by_trust_ratio | clip_by_global_norm(max_norm=0.5) | update_by_schedule_free",
  };
  return all;
}

/// A model with views: what a rank has of their parts lies in its rows in one piece, in several, or not at all.
std::vector<test::layer> viewed_layers() {
  auto all = test::varied_layers();
  all.push_back({"qkv", {12, 5}});
  all.push_back({"side_by_side", {6, 8}});
  all.push_back({"experts", {3, 4, 6}});
  all.push_back({"gates", {2, 6, 4}});
  all.push_back({"corners", {5, 6}});
  return all;
}
std::vector<parameter<float>> with_views(std::vector<parameter<float>> all) {
  for (auto& p : all) {
    if (p.name == "qkv") p.view = {view::row_blocks{{{"q", 6}, {"k", 3}, {"v", 3}}}};
    if (p.name == "side_by_side") p.view = {view::column_blocks{{{"left", 3}, {"right", 5}}}};
    if (p.name == "experts") p.view = {view::stack{}};
    if (p.name == "gates") p.view = {view::stack{}, view::row_blocks{{{"gate", 2}, {"up", 4}}}};
    if (p.name == "corners") p.view = {view::column_blocks{{{"", 4}, {"", 2}}}, view::row_blocks{{{"", 3}, {"", 2}}}};
  }
  return all;
}

void check_rows(const std::string& chain, const std::vector<test::layer>& layers) {
  CAPTURE(chain);
  test::model<float> alone(layers);
  test::shard<float> m(alone, test::rank(), test::rank_count());
  const options o{.lr = 0.02, .weight_decay = 0.1, .warmup_steps = 2, .parallel = sequential()};
  const mpi::ranks rows{.layout = mpi::layout::sharded_rows};
  auto opt = mpi::optimizer(chain, with_views(m.parameters()), o, rows);
  optimizer<float> one(chain, with_views(alone.parameters()), o);
  for (long t = 1; t <= 4; ++t) {
    alone.differentiate(t);
    const auto own = m.of(alone.gradients);
    CHECK(opt.step(own).gradient_norm == one.step(alone.gradients).gradient_norm);
    CHECK(same_bits(m.values, m.of(alone.values)));
  }
  const auto x = test::both_x(alone, one);
  auto averaged = m.values;
  for (std::size_t i = 0; i < averaged.size(); ++i) opt.averaged(i, averaged[i]);
  CHECK(same_bits(averaged, m.of(x[0])));
  {
    const auto at_x = opt.evaluation_point();
    CHECK(same_bits(m.values, m.of(x[1])));
    const auto at_x_alone = one.evaluation_point();
    const std::string bytes = one.to_bytes();
    CHECK(opt.to_bytes() == (test::rank() == 0 ? bytes : ""));
  }
  CHECK(same_bits(m.values, m.of(alone.values)));

  const std::string bytes = one.to_bytes();
  CHECK(opt.to_bytes() == (test::rank() == 0 ? bytes : ""));
  auto again = m;
  auto late = mpi::optimizer(chain, with_views(again.parameters()), o, rows);
  late.load_bytes(bytes);
  for (long t = 5; t <= 6; ++t) {
    alone.differentiate(t);
    one.step(alone.gradients);
    late.step(m.of(alone.gradients));
    CHECK(same_bits(again.values, m.of(alone.values)));
  }
}

}  // namespace

TEST_CASE("ranks take the steps of one process that is given the mean of their gradients") {
  for (const auto& chain : chains())
    for (const auto layout : {mpi::layout::sharded_state, mpi::layout::replicated}) check_training<float>(chain, layout, 1 << 16);
}

TEST_CASE("how many elements travel together changes nothing") {
  for (const auto layout : {mpi::layout::sharded_state, mpi::layout::replicated})
    for (const std::size_t elements : {1000, 70}) check_training<double>("clip_by_global_norm(max_norm=0.5) | amuse", layout, elements);
}

TEST_CASE("weights of 16 bits, state of 8") {
  const auto layers = test::varied_layers();
  const auto rounded = [](const test::model<float>& m) {
    std::vector<std::vector<bfloat16>> all;
    for (const auto& v : m.values) all.emplace_back(v.begin(), v.end());
    return all;
  };
  const auto parameters_of = [](test::model<float>& m, std::vector<std::vector<bfloat16>>& values) {
    auto all = m.parameters();
    for (std::size_t i = 0; i < all.size(); ++i) all[i].data = values[i].data();
    return all;
  };
  test::model<float> m(layers);
  for (const auto kept : {weights_in::exact, weights_in::stochastic}) {
    auto values = rounded(m), alone = values;
    const options o{.lr = 0.02, .warmup_steps = 2, .state = state_in::eight_bits, .weights = kept, .seed = 5, .parallel = sequential()};
    auto opt = mpi::optimizer("amuse", parameters_of(m, values), o);
    optimizer<float> one("amuse", parameters_of(m, alone), o);
    for (long t = 1; t <= 3; ++t) {
      opt.step(test::gradients_of<float>(layers, t, test::rank()));
      one.step(test::mean_of_ranks<float>(layers, t));
      CHECK(same_bits(values, alone));
    }
    auto x = m.values, expected = m.values;
    for (std::size_t i = 0; i < x.size(); ++i) {
      opt.averaged(i, x[i]);
      one.averaged(i, expected[i]);
    }
    CHECK(same_bits(x, expected));
    CHECK(opt.to_bytes() == (test::rank() == 0 ? one.to_bytes() : ""));
  }
}

TEST_CASE("gradients of 16 bits travel as they are, and are added up in float") {
  const auto layers = test::varied_layers();
  const auto rounded = [&](long step, int rank) {
    std::vector<std::vector<bfloat16>> all;
    for (const auto& g : test::gradients_of<float>(layers, step, rank)) all.emplace_back(g.begin(), g.end());
    return all;
  };
  const auto widened = [](const std::vector<std::vector<bfloat16>>& given) {
    test::model<float>::arrays all;
    for (const auto& g : given) all.emplace_back(g.begin(), g.end());
    return all;
  };
  const options o{.lr = 0.02, .warmup_steps = 2, .parallel = sequential()};
  const auto bytes_sent = [](const optimizer<float>& opt) { return test::promised(opt).bytes; };
  for (const auto layout : {mpi::layout::sharded_state, mpi::layout::replicated, mpi::layout::sharded_rows}) {
    CAPTURE(static_cast<int>(layout));
    const bool has_rows = layout == mpi::layout::sharded_rows;
    auto values = rounded(100, 0), alone = values;
    auto wide_values = widened(values);
    const test::shard<float> shard(test::model<float>(layers), test::rank(), test::rank_count());
    auto parameters = test::model<float>(layers).parameters();
    auto of_one = parameters, wide = parameters;
    for (std::size_t i = 0; i < parameters.size(); ++i) {
      of_one[i].data = alone[i].data();
      parameters[i].data = values[i].data() + (has_rows ? shard.first[i] : 0);
      wide[i].data = wide_values[i].data() + (has_rows ? shard.first[i] : 0);
      if (has_rows) parameters[i].shape = wide[i].shape = shard.layers[i].shape;
    }
    auto opt = mpi::optimizer("amuse", parameters, o, {.layout = layout, .elements_a_message = 1000});
    optimizer<float> one("amuse", of_one, o);
    const auto sent = bytes_sent(opt);
    if (test::rank_count() > 1 && has_rows) CHECK(2 * sent == bytes_sent(mpi::optimizer("amuse", wide, o, {.layout = layout, .elements_a_message = 1000})));
    if (test::rank_count() > 1 && layout == mpi::layout::sharded_state)
      CHECK(sent < bytes_sent(mpi::optimizer("amuse", wide, o, {.layout = layout, .elements_a_message = 1000})));
    for (long t = 1; t <= 3; ++t) {
      const auto own = rounded(t, has_rows ? 0 : test::rank());
      const auto own_wide = widened(own);
      std::vector<gradient_view> given;
      for (std::size_t i = 0; i < own.size(); ++i) {
        const std::size_t first = has_rows ? shard.first[i] : 0, n = has_rows ? shard.count[i] : own[i].size();
        // In the last step the last rank gives floats: all travel as floats.
        if (t == 3 && test::rank() + 1 == test::rank_count()) given.emplace_back(std::span(own_wide[i]).subspan(first, n));
        else given.emplace_back(std::span(own[i]).subspan(first, n));
      }
      const auto before = test::sent_so_far();
      opt.step(given);
      CHECK(test::sent_since(before) == test::promised(opt));
      one.step(has_rows ? own_wide : test::mean_over_ranks<float>([&](int r) { return widened(rounded(t, r)); }));
      if (t == 2) CHECK(bytes_sent(opt) == sent);
      for (std::size_t i = 0; i < values.size(); ++i) {
        const std::size_t first = has_rows ? shard.first[i] : 0, n = has_rows ? shard.count[i] : values[i].size();
        CHECK(std::memcmp(values[i].data() + first, alone[i].data() + first, n * sizeof(bfloat16)) == 0);
      }
    }
    if (test::rank_count() > 1) CHECK(bytes_sent(opt) > sent);
  }
}

TEST_CASE("ranks that have some rows of each parameter take the steps of one process") {
  auto all = chains();
  all.push_back("when_finite | accumulate(steps=2) | clip_by_global_norm(max_norm=0.5) | muon");
  for (const auto& chain : all) check_rows(chain, test::varied_layers());
}

TEST_CASE("with sharded rows, each part of a view is stepped whole") {
  for (const char* chain : {"amuse", "clip_by_global_norm(max_norm=0.5) | adamw", "when_finite | accumulate(steps=2) | muon"})
    check_rows(chain, viewed_layers());
  check_rows("route(when(hidden_matrix, in_row_blocks(3, orthogonalize_update)), otherwise(scale_by_adam)) | update_by_schedule_free",
             {{"fused", {12, 5}}, {"bias", {9}}});
}

TEST_CASE("with sharded rows, views of weights and gradients of 16 bits") {
  test::model<float> start(viewed_layers());
  const test::shard<float> shard(start, test::rank(), test::rank_count());
  const auto rounded = [](const test::model<float>::arrays& of) {
    std::vector<std::vector<bfloat16>> all;
    for (const auto& v : of) all.emplace_back(v.begin(), v.end());
    return all;
  };
  auto values = rounded(shard.values), alone = rounded(start.values);
  const auto bind_to = [](std::vector<parameter<float>> all, std::vector<std::vector<bfloat16>>& data) {
    for (std::size_t i = 0; i < all.size(); ++i) all[i].data = data[i].data();
    return with_views(std::move(all));
  };
  auto rows = shard;
  const options o{.lr = 0.02, .warmup_steps = 2, .parallel = sequential()};
  auto opt = mpi::optimizer("amuse", bind_to(rows.parameters(), values), o, {.layout = mpi::layout::sharded_rows});
  optimizer<float> one("amuse", bind_to(start.parameters(), alone), o);
  const auto rows_of = [&](const std::vector<std::vector<bfloat16>>& whole) {
    std::vector<std::vector<bfloat16>> own;
    for (std::size_t i = 0; i < whole.size(); ++i) {
      const auto begin = whole[i].begin() + static_cast<std::ptrdiff_t>(shard.first[i]);
      own.emplace_back(begin, begin + static_cast<std::ptrdiff_t>(shard.count[i]));
    }
    return own;
  };
  const auto step = [](optimizer<float>& by, const std::vector<std::vector<bfloat16>>& gradients) {
    std::vector<gradient_view> given;
    for (const auto& g : gradients) given.emplace_back(std::span(g));
    by.step(given);
  };
  for (long t = 1; t <= 3; ++t) {
    start.differentiate(t);
    const auto gradients = rounded(start.gradients);
    step(opt, rows_of(gradients));
    step(one, gradients);
    CHECK(same_bits(values, rows_of(alone)));
  }
  {
    const auto at_x = opt.evaluation_point();
    const auto at_x_alone = one.evaluation_point();
    CHECK(same_bits(values, rows_of(alone)));
  }
  CHECK(same_bits(values, rows_of(alone)));
  CHECK(opt.to_bytes() == (test::rank() == 0 ? one.to_bytes() : ""));
}

TEST_CASE("what sharded rows cannot be is refused by name") {
  test::model<float> whole(test::small_layers());
  test::shard<float> m(whole, test::rank(), test::rank_count());
  const auto said_to = [](const std::vector<parameter<float>>& parameters) {
    return test::message([&] { static_cast<void>(mpi::optimizer("adamw", parameters, {}, {.layout = mpi::layout::sharded_rows})); });
  };
  auto parameters = m.parameters();
  if (test::rank() == 0) parameters[0].shape = {};
  CHECK(said_to(parameters).find("[mpi] Expected row-major parameters with rows, for sharded rows. Received 'w1'") != std::string::npos);
  parameters = m.parameters();
  if (test::rank() == 0) parameters[2].view = {view::stack{.stride = 7}};
  CHECK(said_to(parameters).find("[mpi] Expected a stack without a stride, for sharded rows. Received 'w2'") != std::string::npos);
  if (test::rank_count() == 1) return;
  parameters = m.parameters();
  parameters[2].view = {view::row_blocks{{{"a", test::rank() == 0 ? 1u : 2u}, {"b", test::rank() == 0 ? 2u : 1u}}}};
  CHECK(said_to(parameters).find("[mpi] Expected the same optimizer on every rank.") != std::string::npos);
}
