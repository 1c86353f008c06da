// Combinators, routes and recipes from text, beside the same compiled.
#include <thalweg/text.hpp>
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

/// In C++ and from text: in every instruction set that this machine has, by the same passes.
template <class T, class Recipe>
void replays_recipe(const Recipe& recipe) {
  const std::string text = to_text(recipe);
  CAPTURE(text);
  const auto parsed = parse(text);
  CHECK(to_text(parsed) == text);
  for (std::size_t set = 0; set < instruction_sets().size(); ++set) {
    CAPTURE(instruction_sets()[set]);
    model<T> a(test::all_lengths()), b(test::all_lengths());
    const auto expected =
        test::course(a, optimizer(on_instruction_set{set, recipe}, a.parameters(), test::replay_settings));
    const auto seen = test::course(b, optimizer(on_instruction_set{set, parsed}, b.parameters(), test::replay_settings));
    for (std::size_t i = 0; i < seen.size(); ++i) {
      CAPTURE(i);
      CHECK(test::same_bits(seen[i], expected[i]));
    }
  }
}

template <class... Recipes>
void replay_all(type_list<Recipes...>) {
  (replays_recipe<float>(Recipes()), ...);
  (replays_recipe<double>(Recipes()), ...);
}

}  // namespace

TEST_CASE("every recipe's text equals the recipe in every instruction set") {
  replay_all(recipes::all());
  replays_recipe<float>(recipes::ademamix({.rise = 4}));
  replays_recipe<float>(recipes::soap({.period = 2}));
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
  replays(chain(scheduled(&ema::beta, linear{.steps = 4, .final = 0.5},
                          scheduled(&ema::beta, cosine{.steps = 9, .final = 0.25}, ema{.beta = 0.9}))));
  replays(chain(scheduled(&update_by_schedule_free::beta,
                          join(for_steps(3, scale_lr{1}), linear{.steps = 2, .final = 0.9}), update_by_schedule_free{})));
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
  replays(route(when(hidden_matrix, in_row_blocks(1, orthogonalize_update{.precision = precision::bfloat16}) |
                                        in_row_blocks(1, centralize_gradient{})),
                otherwise()) |
          update_by_lookahead{.alpha = 0.3, .period = 2});
}

TEST_CASE("the states have the names and shapes that the compiled chain gives them") {
  const auto check = [](const auto& links) {
    model<float> m(test::small_layers());
    const std::string table = optimizer(links, m.parameters(), test::replay_settings).describe();
    const std::string seen =
        optimizer(parse(to_text(links)), m.parameters(), test::replay_settings).describe();
    const auto tables = [](const std::string& t) { return t.substr(t.find('\n'), t.find("memory") - t.find('\n')); };
    CHECK(tables(seen) == tables(table));
  };
  check(ema{} | ema{} | parallel(grafting{}, scale_by_adam{}, ema{} | scheduled(&ema::beta, linear{.steps = 1, .final = 0.5})) |
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
  const auto parsed = parse(to_text(links));
  auto there = optimizer(on_instruction_set{test::set_of_here(), parsed}, b.parameters(), test::replay_settings);
  a.train(here, 1, 5);
  b.train(there, 1, 5);
  here.save(folder / "here");
  there.save(folder / "there");
  CHECK(test::bytes_of(folder / "here") == test::bytes_of(folder / "there"));

  c.values = a.values;
  auto resumed = optimizer(on_instruction_set{test::set_of_here(), parsed}, c.parameters(), test::replay_settings);
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
    return optimizer(on_instruction_set{test::set_of_here(), parse(to_text(links))}, m.parameters(), {.lr = 1});
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

TEST_CASE("a recipe by its name is its text") {
  model<float> a(test::small_layers()), b(test::small_layers());
  const auto by_name = parse(" amuse ( rho = 0.5 ) ");
  const auto spelt = parse(to_text(by_name));
  const auto expected = test::course(a, optimizer(by_name, a.parameters(), test::replay_settings)),
             seen = test::course(b, optimizer(spelt, b.parameters(), test::replay_settings));
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(test::same_bits(seen[i], expected[i]));
}

TEST_CASE("words before a recipe keep its passes, and change no bit") {
  const auto check = [](const auto& links) {
    model<float> a(test::all_lengths()), b(test::all_lengths());
    const auto here = on_instruction_set{test::set_of_here(), parse(to_text(links))};
    const auto expected = test::course(a, optimizer(links, a.parameters(), test::replay_settings)),
               seen = test::course(b, optimizer(here, b.parameters(), test::replay_settings));
    for (std::size_t i = 0; i < seen.size(); ++i) CHECK(test::same_bits(seen[i], expected[i]));
  };
  check(cosine{.steps = 9} | recipes::adamw());
  check(clip_by_global_norm{.max_norm = 0.5} | cosine{.steps = 9} | recipes::muon());
}
