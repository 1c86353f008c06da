// Recipes whose passes are in the library print the same texts, and refuse the same input, as the same chains compiled here.
// The common suite tests that they compute the same.
#include <thalweg/thalweg.hpp>

#include <string>
#include <span>
#include <type_traits>
#include <vector>

#include <doctest/doctest.h>

#include "../core/model.hpp"
#include "../message.hpp"

using namespace thalweg;
using test::model;

namespace {

const options settings{.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 3};

/// Every length around the registers' width, one that is cut among threads, and what each route asks for.
std::vector<test::layer> layers() {
  auto all = test::varied_layers();
  for (std::size_t n = 1; n < 40; ++n) all.push_back({in_words("length ", n), {n}});
  return all;
}

/// Parameters after some steps, x, and x by `averaged`.
template <class T, class Optimizer>
auto trained(model<T>& m, Optimizer opt) {
  std::vector<typename model<T>::arrays> seen;
  m.train(opt, 1, 4);
  opt.lr(0.01);
  m.train(opt, 5, 6);
  CHECK(opt.steps() == 6);
  CHECK(opt.lr() == 0.01);
  seen.push_back(m.values);
  for (const auto& x : test::both_x(m, opt)) seen.push_back(x);
  CHECK(test::same_bits(m.values, seen[0]));
  return seen;
}

/// What both say when `f(make, model)` goes wrong, where `make(recipe, parameters, options)` is one of the two.
template <class F>
void check_refused(F f) {
  model<float> a(test::small_layers()), b(test::small_layers());
  const std::string said = test::message([&] {
    f([](const auto& recipe, auto parameters, const options& o) { return optimizer(chain(recipe), parameters, o); }, a);
  });
  CHECK(said.starts_with("["));
  CHECK(said == test::message([&] {
    f([](const auto& recipe, auto parameters, const options& o) { return optimizer(recipe, parameters, o); }, b);
  }));
  CHECK(test::same_bits(a.values, b.values));
}

}  // namespace

TEST_CASE("a compiled recipe describes itself like the chain, and says for what it is compiled") {
  model<float> m(test::small_layers());
  const auto sets = instruction_sets();
  for (std::size_t set = 0; set < sets.size(); ++set) {
    const auto opt = optimizer(on_instruction_set{set, recipes::amuse()}, m.parameters(), settings);
    const std::string table = opt.describe();
    const auto end = table.find('\n');
    CHECK(table.substr(0, end).ends_with(in_words(", compiled for ", sets[set])));
    const std::string plain = optimizer(chain(recipes::amuse()), m.parameters(), settings).describe();
    CHECK(table.substr(end) == plain.substr(plain.find('\n')));
  }
  const auto best = optimizer(recipes::amuse(), m.parameters(), settings).describe();
  CHECK(best.find(in_words("compiled for ", sets[0], "\n")) != std::string::npos);
}

TEST_CASE("a recipe chosen at run time") {
  model<double> a(test::small_layers()), b(test::small_layers());
  optimizer<double> by_name = optimizer(recipes::adamw(), a.parameters(), settings);
  by_name = optimizer("lion(beta1=0.5)", a.parameters(), settings);
  auto itself = optimizer(recipes::lion({.beta1 = 0.5}), b.parameters(), settings);
  static_assert(std::is_same_v<decltype(by_name), decltype(itself)>);
  a.train(by_name, 1, 3);
  b.train(itself, 1, 3);
  CHECK(test::same_bits(a.values, b.values));
}

TEST_CASE("compiled recipes are the same for any number of threads, and may be moved") {
  model<float> a(layers()), b(layers());
  options alone = settings, three = settings;
  alone.parallel = sequential();
  three.parallel = threads(3);
  const auto expected = trained(a, optimizer(recipes::amuse(), a.parameters(), alone));
  auto first = optimizer(recipes::amuse(), b.parameters(), three);
  auto opt = std::move(first);
  const auto seen = trained(b, std::move(opt));
  for (std::size_t i = 0; i < seen.size(); ++i) CHECK(test::same_bits(seen[i], expected[i]));
}

TEST_CASE("compiled recipes refuse what the header-only chains refuse, in the same words") {
  check_refused([](auto make, auto& m) { make(recipes::adamw(), m.parameters(), {.lr = -1}); });
  check_refused([](auto make, auto& m) { make(recipes::adamw({.beta1 = 1}), m.parameters(), settings); });
  check_refused([](auto make, auto& m) { make(recipes::amuse(), m.parameters(), {.lr = 0.1}); });  // no warm-up
  check_refused([](auto make, auto&) { make(recipes::sgd(), std::vector<parameter<float>>{}, settings); });
  check_refused([](auto make, auto& m) {
    auto opt = make(recipes::muon(), m.parameters(), settings);
    m.gradients.pop_back();
    opt.step(m.gradients);
  });
  check_refused([](auto make, auto& m) {
    auto opt = make(recipes::muon(), m.parameters(), settings);
    m.gradients.resize(40, {1});
    opt.step(m.gradients);
  });
  check_refused([](auto make, auto& m) {
    auto opt = make(recipes::muon(), m.parameters(), settings);
    m.gradients[1].push_back(0);
    opt.step(m.gradients);
  });
  check_refused([](auto make, auto& m) {
    auto opt = make(recipes::muon(), m.parameters(), settings);
    opt.step({std::span<const float>(m.gradients[0].data(), 35), {}});
  });
  check_refused([](auto make, auto& m) {
    auto opt = make(recipes::muon(), m.parameters(), settings);
    opt.step(m.values);
  });
  check_refused([](auto make, auto& m) {
    auto opt = make(recipes::amuse(), m.parameters(), settings);
    const auto at_x = opt.evaluation_point();
    opt.step(m.gradients);
  });
  check_refused([](auto make, auto& m) {
    auto opt = make(recipes::amuse(), m.parameters(), settings);
    const auto at_x = opt.evaluation_point();
    const auto again = opt.evaluation_point();
  });
  check_refused([](auto make, auto& m) {
    auto opt = make(recipes::sf_sgd({.beta = 0}), m.parameters(), settings);
    m.train(opt, 1, 1);
    const auto at_x = opt.evaluation_point();
  });
  check_refused([](auto make, auto& m) { make(recipes::amuse(), m.parameters(), settings).averaged(99, {}); });
  check_refused([](auto make, auto& m) { make(recipes::amuse(), m.parameters(), settings).averaged(0, {}); });
  check_refused([](auto make, auto& m) { make(recipes::amuse(), m.parameters(), settings).lr(-1); });

  model<float> m(test::small_layers());
  CHECK(test::message([&] { optimizer(on_instruction_set{99, recipes::sgd()}, m.parameters(), settings); }) ==
        in_words("[optimizer] Expected an instruction set below ", instruction_sets().size(),
                 ". Received 99."));
}
