// The table that a person reads before training.
#include <thalweg/thalweg.hpp>

#include <algorithm>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "model.hpp"

using namespace thalweg;
using test::model;

namespace {

struct choosy {
  scale_rule rule = match_rms{0.25};
  long count = 3;
  static constexpr auto fields = list{field{"rule", &choosy::rule}, field{"count", &choosy::count, from(0)}};
  constexpr auto at(const context&) const {
    return []<class T>(element<T> e) { return next(e.update); };
  }
};

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

// The line that begins with `word`, its columns split at two spaces or more.
std::vector<std::string> row(const std::string& table, const std::string& word) {
  for (const std::string& line : lines_of(table))
    if (line.starts_with(word + " ")) {
      std::vector<std::string> columns;
      for (std::size_t begin = 0; begin < line.size();) {
        const std::size_t end = std::min(line.find("  ", begin), line.size());
        columns.push_back(line.substr(begin, end - begin));
        begin = std::min(line.find_first_not_of(' ', end), line.size());
      }
      return columns;
    }
  return {};
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("describe shows each parameter's shape, role, chain, state and bytes") {
  model<float> m({{"embedding", {50, 8}, role::embedding},
                  {"w1", {8, 6}},
                  {"b1", {6}},
                  {"filters", {4, 3, 3, 3}},
                  {"out", {6, 2}, role::head}});
  auto opt =
      optimizer(recipes::amuse(), m.parameters(), {.lr = 0.02, .weight_decay = 0.05, .warmup_steps = 100});
  const std::string table = opt.describe();
  CAPTURE(table);
  CHECK(lines_of(table).front().starts_with(
      "float32, step 0, options(lr=0.02, weight_decay=0.05, warmup_steps=100, "));

  const std::string muon = "nesterov_ema | orthogonalize_update | amuse_beta | update_by_schedule_free";
  const std::string adam = "scale_lr | scale_by_exp_avg_sq | amuse_beta | update_by_schedule_free";
  using columns = std::vector<std::string>;
  CHECK(row(table, "parameter") == columns{"parameter", "shape", "role", "chain", "state", "bytes"});
  CHECK(row(table, "w1") ==
        columns{"w1", "(8, 6)", "hidden", muon, "nesterov_ema.momentum, update_by_schedule_free.z", "384"});
  CHECK(row(table, "filters") == columns{"filters", "(4, 3, 3, 3)", "hidden", muon,
                                         "nesterov_ema.momentum, update_by_schedule_free.z", "864"});
  CHECK(row(table, "embedding") == columns{"embedding", "(50, 8)", "embedding", adam,
                                           "scale_by_exp_avg_sq.second_moment, update_by_schedule_free.z",
                                           "3200"});
  CHECK(row(table, "b1")[3] == adam);
  CHECK(row(table, "out")[2] == "head");
  CHECK(row(table, "out")[3] == adam);

  // The chains once more, with their hyper-parameters and scalars.
  CHECK(
      has(table,
          "nesterov_ema(beta=0.95, look_ahead=interpolate) | orthogonalize_update(scale=match_rms(rms=0.2), "
          "coefficients=jordan, steps=5, epsilon=1e-07, precision=float32, norm=frobenius) | amuse_beta(beta1=0.6, rho=0.8) | "
          "update_by_schedule_free(beta=0.9, decay=z, weight=plain_weight)"));
  CHECK(has(table, "update_by_schedule_free.beta=0.9"));
  CHECK(has(table, "orthogonalize_update by " + linear_algebra::backend()));
  CHECK(has(table, "amuse_beta.warmup_average_weight=0"));
  CHECK(has(table, "parameters 2.2 KiB, state 4.5 KiB"));  // 574 and 1148 floats
  CHECK(table.ends_with("; an evaluation point needs 2.2 KiB more\n"));
}

TEST_CASE("describe shows the factors of parameters, which the fused chain obeys as the unfused one does") {
  const auto layers = [] {
    auto all = test::small_layers();
    all[0].lr_factor = 0.5;
    all[1].weight_decay_factor = 0;
    all[3].lr_factor = 0;
    all[3].weight_decay_factor = 2;
    return all;
  };
  model<double> m(layers()), same(layers());
  const auto table_before = m.values[3];
  const options o{.lr = 0.02, .weight_decay = 0.5, .warmup_steps = 3};
  auto fused = optimizer(recipes::amuse(), m.parameters(), o);
  auto one_by_one = optimizer(unfused(recipes::amuse()), same.parameters(), o);
  m.train(fused, 1, 7);
  same.train(one_by_one, 1, 7);
  CHECK(test::distance(m.values, same.values) < 1e-12);
  CHECK(test::distance(test::both_x(m, fused)[1], test::both_x(same, one_by_one)[1]) < 1e-12);
  CHECK(m.values[3] == table_before);  // its lr is 0

  const std::string table = fused.describe();
  CAPTURE(table);
  const std::string ends = " | amuse_beta | update_by_schedule_free";
  const std::string muon = "nesterov_ema | orthogonalize_update" + ends;
  const std::string adam = "scale_lr | scale_by_exp_avg_sq" + ends;
  CHECK(row(table, "w1").at(3) == muon + ", lr_factor=0.5");
  CHECK(row(table, "w2").at(3) == muon);
  CHECK(row(table, "b1").at(3) == adam + ", weight_decay_factor=0");
  CHECK(row(table, "b2").at(3) == adam);
  CHECK(row(table, "table").at(3) == adam + ", lr_factor=0, weight_decay_factor=2");
  CHECK(has(table, "weight=plain_weight), lr_factor=0, weight_decay_factor=2\n"));
}

TEST_CASE("describe shows a parameter without a role") {
  model<float> m({{"w", {3, 2}, role::unspecified}});
  CHECK(row(optimizer(scale{1}, m.parameters(), {}).describe(), "w").at(2) == "unspecified");
}

TEST_CASE("describe follows the training") {
  model<double> m(test::small_layers());
  auto opt = optimizer(unfused(recipes::amuse()), m.parameters(), {.lr = 0.02, .warmup_steps = 4});
  m.train(opt, 1, 3);
  opt.lr(0.5);
  const std::string table = opt.describe();
  CAPTURE(table);
  CHECK(lines_of(table).front().starts_with("float64, step 3, options(lr=0.5,"));
  CHECK(has(lines_of(table).front(), "unfused"));
  CHECK(has(table, "update_by_schedule_free.beta=0.6"));
}

TEST_CASE("describe names the default end of a chain, an empty state, and choices") {
  model<float> m({{"w", {3}}});
  const auto opt =
      optimizer(choosy{} | tensorwise("my own", [](tensor<float>) noexcept {}), m.parameters(), {});
  const std::string table = opt.describe();
  CAPTURE(table);
  CHECK(row(table, "w") ==
        std::vector<std::string>{"w", "(3)", "hidden", "choosy | my own | apply_update", "-", "0"});
  CHECK(has(table, "choosy(rule=match_rms(rms=0.25), count=3) | my own | apply_update"));
}

TEST_CASE("a chain that nobody takes is not shown") {
  model<float> m({{"w", {3}}});
  const auto opt = optimizer(recipes::muon(), m.parameters(), {});
  CHECK(!has(opt.describe(), "orthogonalize_update"));
  CHECK(!has(opt.describe(), "evaluation point"));
}

TEST_CASE("the second transform of a type has states of another name") {
  model<float> m({{"w", {3}}});
  const auto opt = optimizer(ema{} | ema{} | nesterov_ema{} | ema{}, m.parameters(), {});
  CHECK(row(opt.describe(), "w").at(4) ==
        "ema.momentum, ema#2.momentum, nesterov_ema.momentum, ema#3.momentum");
}

TEST_CASE("columns line up, also with names in any script") {
  model<float> m({{"Gewicht_ß", {3, 2}}, {"重み", {200, 100}}, {"w", {}}});
  const auto opt = optimizer(scale{1}, m.parameters(), {});
  const auto lines = lines_of(opt.describe());
  const auto points = [](const std::string& s) {
    return std::count_if(s.begin(), s.end(), [](unsigned char c) { return (c & 0xC0) != 0x80; });
  };
  REQUIRE(lines.size() > 6);
  for (std::size_t i = 3; i < 7; ++i) CHECK(points(lines[i]) == points(lines[2]));
}

TEST_CASE("ranges and numbers as they are written") {
  CHECK(to_text(from(0).below(1)) == "[0, 1)");
  CHECK(to_text(above(0).to(1)) == "(0, 1]");
  CHECK(to_text(range{}) == "(-inf, inf)");
  CHECK(to_text(0.1) == "0.1");
  CHECK(to_text(1e-10) == "1e-10");
  CHECK(to_text(3) == "3");
  CHECK(to_text(std::span<const std::size_t>()) == "()");
  static_assert(from(0).below(1).contains(0) && !from(0).below(1).contains(1));
  static_assert(above(0).to(1).contains(1) && !above(0).to(1).contains(0));
  static_assert(!range{}.contains(std::numeric_limits<double>::quiet_NaN()));
  static_assert(!non_negative.contains(std::numeric_limits<double>::infinity()));
}
