// Combinators, routes and recipes from text, beside the same compiled.
#include <thalweg/compiled.hpp>
#include <thalweg/runtime.hpp>
#include <thalweg/thalweg.hpp>

#include <string>

#include <doctest/doctest.h>

#include "../checkpoint/files.hpp"
#include "replay.hpp"

using namespace thalweg;
using test::model;

namespace {

template <class Chain>
void replays(const Chain& c) {
  test::replays<float>(c);
  test::replays<double>(c);
}

/// In the library, fused, and tile by tile: in every instruction set that this machine has.
template <class T>
void replays_recipe(const compiled::recipe& recipe) {
  const std::string text = std::visit([](const auto& chain) { return to_text(chain); }, recipe);
  CAPTURE(text);
  const auto parsed = runtime::parse(text);
  CHECK(runtime::to_text(parsed) == text);
  for (std::size_t set = 0; set < compiled::instruction_sets().size(); ++set) {
    CAPTURE(compiled::instruction_sets()[set]);
    model<T> a(test::all_lengths()), b(test::all_lengths());
    const auto expected = test::course(a, compiled::optimizer(recipe, a.parameters(), test::replay_settings, set));
    const auto seen = test::course(b, runtime::optimizer(parsed, b.parameters(), test::replay_settings, set));
    for (std::size_t i = 0; i < seen.size(); ++i) {
      CAPTURE(i);
      CHECK(test::same_bits(seen[i], expected[i]));
    }
  }
}

}  // namespace

TEST_CASE("every recipe's text, tile by tile, equals the compiled recipe in every instruction set") {
  const compiled::recipe all[] = {
      recipes::adafactor(), recipes::adagrad(), recipes::adam(), recipes::adamuon(), recipes::adamw(),
      recipes::adan(), recipes::ademamix({.rise = 4}), recipes::adopt(), recipes::amsgrad(), recipes::amuse({.rho = 0.5}),
      recipes::cautious_adamw(), recipes::lamb(), recipes::laprop(), recipes::lars(), recipes::lion(),
      recipes::mars_adamw(), recipes::muon(), recipes::nadam(), recipes::normuon(), recipes::radam(),
      recipes::rmsprop(), recipes::sf_adamw(), recipes::sf_muon(), recipes::sf_radam(), recipes::sf_sgd(),
      recipes::sgd(), recipes::signum(), recipes::soap({.period = 2})};
  CHECK(std::size(all) == std::variant_size_v<compiled::recipe>);
  for (const auto& recipe : all) {
    replays_recipe<float>(recipe);
    replays_recipe<double>(recipe);
  }
}

TEST_CASE("several kernels, with products that a compiler would like to fuse into the next kernel's sums") {
  replays(scale{.by = 0.3} | decay_weights{} | ema{.beta = 0.8} | scale{.by = -1.7} | nesterov_ema{.look_ahead = add_ema});
  replays(clip_by_global_norm{.max_norm = 0.1} | ema{} | scale{.by = 0.7} | clip_by_global_norm{.max_norm = 0.01} |
          heavyball_momentum{} | update_by_schedule_free{.weight = refined_weight{50}});
  replays(clip_by_norm{.max_norm = 0.1} | clip_by_rms{.max_rms = 0.01} | cautious{.rule = caution_rule::heavyball} |
          update_and_average{.memory = forgetting{0.9}});
}

TEST_CASE("routes") {
  replays(chain(route(when(hidden_matrix, cosine{.steps = 9} | centralize_gradient{} |
                                              route(when(hidden_matrix, ema{} | apply_update{}), otherwise(freeze{}))),
                      otherwise(scale_by_adam{.beta1 = 0.5} | freeze{}))));
  replays(when_finite{} | accumulate{.steps = 2} |
          route(when(hidden_matrix, clip_by_global_norm{.max_norm = 0.1}), otherwise(clip_by_global_norm{.max_norm = 0.2})) |
          amuse_beta{.rho = 0.5} | update_by_schedule_free{});
}

TEST_CASE("schedules") {
  replays(schedule_weight_decay(linear{.steps = 4, .final = 0.25}) | scale_by_adam{});
  replays(join(for_steps(2, warmup{.steps = 2}), for_steps(2, linear{.steps = 2, .final = 0.5}), cosine{.steps = 5}) | ema{});
  replays(piecewise{change{.from = 3, .by = 0.5}, change{.from = 5, .by = 0.1}} | scale_by_adam{});
  replays(chain(scheduled(&nesterov_ema::beta, linear{.steps = 4, .final = 0.5}, nesterov_ema{.beta = 0.9})));
  replays(chain(scheduled(&update_by_schedule_free::beta,
                          join(for_steps(3, scale_lr{}), linear{.steps = 2, .final = 0.9}), update_by_schedule_free{})));
  replays(scheduled(&clip_by_global_norm::max_norm, linear{.steps = 4, .final = 0.5}, clip_by_global_norm{}) | ema{});
  replays(scheduled(&scale_by_rss::initial, linear{.steps = 4, .final = 0.5}, scale_by_rss{.initial = 2}) | ema{});
  replays(route(when(hidden_matrix, scheduled(&orthogonalize_update::steps, linear{.steps = 4, .final = 0.5},
                                              orthogonalize_update{.scale = none{}, .coefficients = cans})),
                otherwise(scheduled(&amuse_beta::rho, linear{.steps = 4, .final = 0.5}, amuse_beta{}))) |
          update_by_schedule_free{});
}

TEST_CASE("parallel chains and blocks of rows") {
  replays(parallel(ensemble{}, ema{} | clip_by_norm{.max_norm = 0.1} | scale{.by = 3}, scale_by_adam{},
                   chain()) |
          heavyball_momentum{});
  replays(parallel(grafting{}, scale_by_rss{.initial = 0.1}, nesterov_ema{} | centralize_gradient{} | scale{.by = 2}) | ema{});
  replays(chain(parallel(ensemble{}, parallel(grafting{}, ema{}, scale_by_sign{}),
                         scheduled(&scale::by, linear{.steps = 4, .final = 0.5}, scale{.by = 2}))));
  replays(route(when(hidden_matrix, in_row_blocks(1, orthogonalize_update{.precision = bfloat16}) |
                                        in_row_blocks(1, centralize_gradient{})),
                otherwise()) |
          update_by_lookahead{.alpha = 0.3, .period = 2});
}

TEST_CASE("the states have the names and shapes that the compiled chain gives them") {
  const auto check = [](const auto& links) {
    model<float> m(test::small_layers());
    const std::string table = optimizer(links, m.parameters(), test::replay_settings).describe();
    const std::string seen =
        runtime::optimizer(runtime::parse(to_text(links)), m.parameters(), test::replay_settings).describe();
    const auto tables = [](const std::string& t) { return t.substr(t.find('\n'), t.find("memory") - t.find('\n')); };
    CHECK(tables(seen) == tables(table));
  };
  check(ema{} | ema{} | parallel(grafting{}, scale_by_adam{}, ema{} | scheduled(&ema::beta, linear{.final = 0.5})) |
        update_by_schedule_free{});
  check(route(when(hidden_matrix, scale_by_shampoo{} | scale_by_row_rms{}), otherwise(scale_by_nadam{} | freeze{})) |
        chain());
  check(recipes::amuse());
}

TEST_CASE("a checkpoint of either is the other's") {
  const auto links = chain(when_finite{} | accumulate{.steps = 2} |
                           route(when(hidden_matrix, nesterov_ema{} | amuse_beta{}), otherwise(scale_by_nadam{})) |
                           update_by_schedule_free{});
  const test::folder folder;
  model<float> a(test::small_layers()), b(test::small_layers()), c(test::small_layers());
  auto here = optimizer(links, a.parameters(), test::replay_settings);
  const auto parsed = runtime::parse(to_text(links));
  auto there = runtime::optimizer(parsed, b.parameters(), test::replay_settings, test::set_of_here());
  a.train(here, 1, 5);
  b.train(there, 1, 5);
  here.save(folder / "here");
  there.save(folder / "there");
  CHECK(test::bytes_of(folder / "here") == test::bytes_of(folder / "there"));

  c.values = a.values;
  auto resumed = runtime::optimizer(parsed, c.parameters(), test::replay_settings, test::set_of_here());
  resumed.load(folder / "here");
  CHECK(resumed.steps() == here.steps());
  a.train(here, 6, 9);
  c.train(resumed, 6, 9);
  CHECK(test::same_bits(a.values, c.values));
}

TEST_CASE("the losses of an accumulation that has begun are saved by either for the other; a load forgets others") {
  const auto links = chain(accumulate{.steps = 3} | scale_by_polyak{} | apply_update{});
  const test::folder folder;
  using trained = model<float>;
  const auto compiled = [&](trained& m) { return optimizer(links, m.parameters(), {.lr = 1}); };
  const auto read = [&](trained& m) {
    return runtime::optimizer(runtime::parse(to_text(links)), m.parameters(), {.lr = 1}, test::set_of_here());
  };
  const auto train = [](auto& opt, trained& m, long from, long to) {
    for (long t = from; t <= to; ++t) {
      m.differentiate(t);
      opt.step(m.gradients, {.loss = 0.1 * static_cast<double>(t)});
    }
  };
  trained a(test::small_layers()), b(test::small_layers());
  auto here = compiled(a);
  auto there = read(b);
  train(here, a, 1, 5);
  train(there, b, 1, 5);
  here.save(folder / "here");
  there.save(folder / "there");
  CHECK(test::bytes_of(folder / "here") == test::bytes_of(folder / "there"));
  const auto saved = a.values;
  train(here, a, 6, 9);

  const auto resumes = [&](const auto& bound, std::string_view file) {
    trained c(test::small_layers());
    auto opt = bound(c);
    train(opt, c, 100, 100);  // its loss goes with its gradient
    c.values = saved;
    opt.load(folder / std::string(file));
    train(opt, c, 6, 9);
    CHECK(test::same_bits(c.values, a.values));
  };
  resumes(read, "here");
  resumes(compiled, "there");
}

TEST_CASE("a recipe by its name runs compiled, and equals its text") {
  model<float> a(test::small_layers()), b(test::small_layers());
  const auto by_name = runtime::parse(" amuse ( rho = 0.5 ) ");
  const auto spelt = runtime::parse(runtime::to_text(by_name));
  runtime::optimizer<float> one(by_name, a.parameters(), test::replay_settings), other(spelt, b.parameters(), test::replay_settings);
  CHECK(one.describe().find("tile by tile") == std::string::npos);
  CHECK(other.describe().find("tile by tile") != std::string::npos);
  const auto expected = test::course(a, std::move(one)), seen = test::course(b, std::move(other));
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(test::same_bits(seen[i], expected[i]));
}
