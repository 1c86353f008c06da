// Training that was saved and resumed beside training that never stopped: not a bit may differ.
#include <thalweg/thalweg.hpp>
#include <thalweg/thalweg.hpp>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include <doctest/doctest.h>

#include "../core/model.hpp"
#include "files.hpp"

using namespace thalweg;
using test::bytes_of;
using test::model;
using test::same_bits;

namespace {

const options settings{.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 3};

template <class T, class Optimizer>
void train(model<T>& m, Optimizer& opt, long from, long to) {
  for (long t = from; t <= to; ++t) {
    m.differentiate(t);
    if (t == 3) opt.lr(0.0123456789);
    opt.step(m.gradients, {.loss = 1.0 / 3 + (t % 4 == 0)});
  }
}

template <class T, class Make>
void resumes(Make make, std::vector<test::layer> of = test::varied_layers()) {
  const test::folder folder;
  const long last = 9;
  model<T> never_stopped(of);
  auto alone = make(never_stopped);
  train(never_stopped, alone, 1, last);
  alone.save(folder / "alone");
  const auto expected = bytes_of(folder / "alone");
  REQUIRE(!expected.empty());

  struct stop {
    long after;
    bool at_x;
  };
  for (const stop& s : {stop{0, false}, stop{0, true}, stop{1, false}, stop{2, true}, stop{5, false}, stop{5, true}}) {
    CAPTURE(s.after);
    CAPTURE(s.at_x);
    model<T> resumed(of);  // with the weights as they are saved
    {
      model<T> stopped(of);
      auto opt = make(stopped);
      train(stopped, opt, 1, s.after);
      std::optional<evaluation_guard<T>> point;
      if (s.at_x) point.emplace(opt.evaluation_point());
      opt.save(folder / "stopped");
      resumed.values = stopped.values;
    }
    auto opt = make(resumed);
    opt.load(folder / "stopped");
    train(resumed, opt, s.after + 1, last);
    CHECK(same_bits(resumed.values, never_stopped.values));
    CHECK(opt.steps() == alone.steps());
    CHECK(opt.lr() == alone.lr());
    opt.save(folder / "resumed");
    CHECK(bytes_of(folder / "resumed") == expected);
  }
}

/// `chain` in the engine that is compiled here.
template <class T, class Chain>
void resumes_here(const Chain& chain, const options& o = settings) {
  resumes<T>([&](model<T>& m) { return optimizer(chain, m.parameters(), o); });
}

/// One is saved and trains on; the other loads it and does the same.
template <class Make, class Other>
void goes_on(Make make, Other other) {
  const test::folder folder;
  model<float> a(test::varied_layers()), b(test::varied_layers());
  auto opt = make(a);
  train(a, opt, 1, 4);
  opt.save(folder / "file");
  b.values = a.values;
  auto resumed = other(b);
  resumed.load(folder / "file");
  train(a, opt, 5, 8);
  train(b, resumed, 5, 8);
  CHECK(same_bits(a.values, b.values));
}

}  // namespace

TEST_CASE_TEMPLATE("every recipe resumes", T, float, double) {
  const auto check = [](const auto& recipe) {
    resumes<T>([&](model<T>& m) { return optimizer(recipe, m.parameters(), settings); });
  };
  [&]<class... Recipes>(type_list<Recipes...>) { (check(Recipes()), ...); }(recipes::all());
  check(recipes::sgd({.momentum = 0.9}));
  check(recipes::soap({.period = 2}));
}

TEST_CASE("a checkpoint in memory is the file's, and resumes") {
  const test::folder folder;
  model<float> a(test::small_layers()), b(test::small_layers());
  auto opt = optimizer(recipes::amuse(), a.parameters(), settings);
  train(a, opt, 1, 4);
  opt.save(folder / "file");
  const std::string bytes = opt.to_bytes();
  CHECK(bytes == test::bytes_of(folder / "file"));
  b.values = a.values;
  auto resumed = optimizer(recipes::amuse(), b.parameters(), settings);
  CHECK_THROWS_AS(resumed.load_bytes(bytes.substr(0, bytes.size() - 1)), error);
  CHECK_THROWS_AS(resumed.load_bytes(""), error);
  resumed.load_bytes(bytes);
  train(a, opt, 5, 8);
  train(b, resumed, 5, 8);
  CHECK(same_bits(a.values, b.values));
}

TEST_CASE("an empty optimizer refuses whatever is asked") {
  optimizer<float> empty;
  const auto refused = [](const std::string& asked, const auto& ask) {
    CHECK_THROWS_WITH_AS(ask(), ("[" + asked + "] Expected an optimizer with parameters. Received an empty one.").c_str(), error);
  };
  refused("step", [&] { empty.step(std::vector<std::vector<float>>{{1}}); });
  refused("step", [&] { empty.step(std::vector<std::vector<float>>()); });
  refused("evaluation_point", [&] { static_cast<void>(empty.evaluation_point()); });
  refused("averaged", [&] { empty.averaged(0, {}); });
  refused("lr", [&] { empty.lr(1); });
  refused("steps", [&] { static_cast<void>(empty.steps()); });
  refused("save", [&] { empty.save("nowhere"); });
  refused("load", [&] { empty.load("nowhere"); });
  refused("to_bytes", [&] { static_cast<void>(empty.to_bytes()); });
  refused("describe", [&] { static_cast<void>(empty.describe()); });
  model<float> m(test::small_layers());
  empty = optimizer("sgd", m.parameters(), {.lr = 1});
  empty.step(m.gradients);
  CHECK(empty.steps() == 1);
  const auto moved = std::move(empty);
  CHECK_THROWS_AS(empty.steps(), error);
  CHECK(moved.steps() == 1);
}

TEST_CASE_TEMPLATE("a chain with two averages and none resumes", T, float, double) {
  resumes_here<T>(route(when(hidden_matrix, amuse_beta{} | update_by_schedule_free{.beta = 0.75}),
                        when([](const parameter_info& p) { return p.role == role::embedding; },
                             scale{.by = 2} | update_and_average{}),
                        otherwise(scale_by_nadam{})));
}

TEST_CASE("the state of every shape resumes") {
  resumes_here<double>(route(when(hidden_matrix, scale_by_factored_rms{} | scale_by_shampoo{}), otherwise(ema{})) |
                       add_noise{} | update_by_lookahead{});
  resumes_here<float>(route(when(hidden_matrix, scale_by_soap{.period = 2, .sides = soap_sides::shorter} |
                                                    scale_by_psgd_kron{.longest = 5}), otherwise(scale_by_psgd_kron{})));
}

TEST_CASE("what the loss has done resumes") { resumes_here<double>(reduce_on_plateau{.patience = 1} | ema{}); }

TEST_CASE("a step that was half gathered resumes") {
  resumes_here<float>(accumulate{.steps = 3} | scale_by_adam{} | update_by_schedule_free{});
  resumes_here<float>(accumulate{.steps = 3} | scale_by_polyak{} | update_by_schedule_free{});
}

TEST_CASE("twins and chains without state resume") {
  resumes_here<float>(ema{.beta = 0.5} | ema{.beta = 0.9} | update_by_schedule_free{});
  resumes_here<float>(chain());
}

TEST_CASE("an average that is lost is no hindrance") {
  const auto make = [](model<float>& m) { return optimizer(update_by_schedule_free{.beta = 0}, m.parameters(), settings); };
  goes_on(make, make);
}

TEST_CASE("any number of threads goes on where another stopped") {
  options alone = settings;
  alone.parallel = sequential();
  goes_on([](model<float>& m) { return optimizer(recipes::amuse(), m.parameters(), settings); },
          [&](model<float>& m) { return optimizer(recipes::amuse(), m.parameters(), alone); });
}

TEST_CASE("the engines read each other's checkpoints") {
  const test::folder folder;
  model<float> a(test::varied_layers()), b(test::varied_layers());
  auto here = optimizer(recipes::amuse(), a.parameters(), settings);
  train(a, here, 1, 4);
  here.save(folder / "here");
  b.values = a.values;
  auto there = optimizer(recipes::amuse(), b.parameters(), settings);
  there.load(folder / "here");
  there.save(folder / "there");
  auto wrote_here = test::taken_apart(bytes_of(folder / "here"));
  auto wrote_there = test::taken_apart(bytes_of(folder / "there"));
  for (auto* file : {&wrote_here, &wrote_there})  // which each computes with its own instructions
    for (const auto& layer : test::varied_layers()) file->header["__metadata__"].erase(layer.name + "/checksum at x");
  CHECK(wrote_here.header == wrote_there.header);
  CHECK(wrote_here.arrays == wrote_there.arrays);
  here.load(folder / "there");
  auto slow = optimizer(unfused(recipes::amuse()), a.parameters(), settings);
  slow.load(folder / "there");
  CHECK(slow.steps() == 4);
}

TEST_CASE("at x, weights of x and of y are welcome, and y is there after") {
  const test::folder folder;
  const auto chain = scale_by_exp_avg_sq{} | update_by_schedule_free{};
  model<float> m(test::varied_layers()), at_x(test::varied_layers()), at_y(test::varied_layers());
  auto opt = optimizer(chain, m.parameters(), settings);
  train(m, opt, 1, 4);
  at_y.values = m.values;
  {
    const auto point = opt.evaluation_point();
    at_x.values = m.values;
    opt.save(folder / "x");
  }
  REQUIRE(!same_bits(at_x.values, at_y.values));
  for (auto* weights : {&at_x, &at_y}) {
    optimizer(chain, weights->parameters(), settings).load(folder / "x");
    CHECK(same_bits(weights->values, m.values));
  }
}

TEST_CASE("the order of the parameters is free") {
  const test::folder folder;
  model<double> a(test::varied_layers()), b(test::varied_layers());
  auto opt = optimizer(recipes::amuse(), a.parameters(), settings);
  train(a, opt, 1, 4);
  opt.save(folder / "file");
  b.values = a.values;
  auto turned = b.parameters();
  std::ranges::reverse(turned);
  auto resumed = optimizer(recipes::amuse(), turned, settings);
  resumed.load(folder / "file");
  train(a, opt, 5, 6);
  for (long t = 5; t <= 6; ++t) {
    b.differentiate(t);
    std::vector<std::span<const double>> gradients(b.gradients.rbegin(), b.gradients.rend());
    resumed.step(gradients);
  }
  CHECK(same_bits(a.values, b.values));
}

TEST_CASE("a column-major matrix is saved as the matrix that it is") {
  const test::folder folder;
  const auto chain = nesterov_ema{} | scale_by_shampoo{} | scale_by_psgd_kron{} | update_by_schedule_free{};
  const std::size_t rows = 5, cols = 7;
  std::vector<float> by_rows(rows * cols), by_columns(rows * cols), g_rows(rows * cols), g_columns(rows * cols);
  const auto both = [&](auto& a, auto& b, std::uint64_t seed) {
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j)
        a[i * cols + j] = b[j * rows + i] = static_cast<float>(test::noise(seed, i * cols + j));
  };
  both(by_rows, by_columns, 1);
  const auto bound = [&](std::vector<float>& data, storage_order order) {
    return std::vector<parameter<float>>{{.name = "w", .shape = {rows, cols}, .data = data.data(), .order = order}};
  };
  auto columns = optimizer(chain, bound(by_columns, storage_order::column_major), settings);
  for (std::uint64_t t = 2; t < 6; ++t) {
    both(g_rows, g_columns, t);
    columns.step({g_columns});
  }
  for (const bool at_x : {false, true}) {
    if (at_x) {
      const auto point = columns.evaluation_point();
      columns.save(folder / "columns");
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < cols; ++j) by_rows[i * cols + j] = by_columns[j * rows + i];
    } else {
      columns.save(folder / "columns");
      for (std::size_t i = 0; i < rows; ++i)
        for (std::size_t j = 0; j < cols; ++j) by_rows[i * cols + j] = by_columns[j * rows + i];
    }
    auto turned = optimizer(chain, bound(by_rows, storage_order::row_major), settings);
    turned.load(folder / "columns");
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j) CHECK(by_rows[i * cols + j] == by_columns[j * rows + i]);
    columns.save(folder / "columns");
    turned.save(folder / "rows");
    CHECK(bytes_of(folder / "columns") == bytes_of(folder / "rows"));
    columns.load(folder / "rows");
    columns.save(folder / "again");
    CHECK(bytes_of(folder / "again") == bytes_of(folder / "rows"));
    both(g_rows, g_columns, 9);
    columns.step({g_columns});
    turned.step({g_rows});
    for (std::size_t i = 0; i < rows; ++i)
      for (std::size_t j = 0; j < cols; ++j)
        CHECK(by_rows[i * cols + j] == doctest::Approx(by_columns[j * rows + i]).epsilon(1e-4));
  }
}
