// The race's loop gives a contender's transforms everything that they may read in a step.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <unistd.h>

#include <thalweg/text.hpp>

#include "../../examples/race/contenders.hpp"
#include "../../examples/race/ledger.hpp"
#include "../../examples/race/perceptron.hpp"
#include "../../examples/race/report.hpp"
#include "../../examples/race/results.hpp"
#include "../../examples/race/train.hpp"

namespace {

// Forty images of nine pixels, black above or below, told apart by their labels.
race::data_set halves() {
  race::data_set data{"halves", {9, {}, {}}, {}, {}, 0.5f, 0.5f};
  for (std::uint8_t i = 0; i < 40; ++i) {
    for (std::uint8_t pixel = 0; pixel < 9; ++pixel) data.training.pixels.push_back((pixel < 5) == (i % 2 == 0));
    data.training.labels.push_back(i % 2);
  }
  data.validation = data.training;
  data.tuning = data.training.slice(0, 10);
  return data;
}

race::task_settings settings() {
  race::task_settings s;
  s.batch = 8;
  s.hidden = {4};
  return s;
}

race::run run_of(std::vector<double> losses) {
  race::run r{{}, 0.25, 0.5};
  for (const double loss : losses) r.curve.push_back({static_cast<long>(r.curve.size()) + 1, {loss, 0.5}, {loss + 1, 0.25}});
  return r;
}

struct file {
  std::filesystem::path path =
      std::filesystem::temp_directory_path() / ("thalweg-ledger-" + std::to_string(getpid()) + ".jsonl");
  ~file() { std::filesystem::remove(path); }
};

}  // namespace

TEST_CASE("contenders that read the loss train") {
  const auto task = race::perceptron(halves(), settings());
  for (const std::string_view chain : {"reduce_on_plateau | adam", "scale_by_polyak", "when_finite | adam"}) {
    CAPTURE(chain);
    const auto run = race::train(*task, thalweg::parse(chain), {.lr = 0.05}, 100, 1, [](const race::point&) {});
    CHECK(run.curve.size() == race::stops.size());
    CHECK(run.curve.back().training.loss < 0.5 * run.curve.front().training.loss);
  }
}

TEST_CASE("a task's models of one seed are equal, and their batches") {
  const auto task = race::perceptron(halves(), settings());
  const auto one = task->start(3), same = task->start(3), other = task->start(4);
  const double loss = one->differentiate(race::examples::next);
  CHECK(loss == same->differentiate(race::examples::next));
  CHECK(loss != other->differentiate(race::examples::next));
  REQUIRE(one->parameters().size() == one->gradients().size());
  for (std::size_t i = 0; i < one->parameters().size(); ++i)
    CHECK(one->gradients()[i].size() == thalweg::element_count(one->parameters()[i].shape));

  // The fixed examples do not move on, and those of another seed are the same.
  const double fixed = one->differentiate(race::examples::fixed);
  CHECK(fixed == one->differentiate(race::examples::fixed));
  const auto copy = other->parameters(), of = one->parameters();
  for (std::size_t i = 0; i < of.size(); ++i)
    std::copy_n(static_cast<float*>(of[i].data), thalweg::element_count(of[i].shape), static_cast<float*>(copy[i].data));
  CHECK(fixed == other->differentiate(race::examples::fixed));
  CHECK(one->differentiate(race::examples::next) == same->differentiate(race::examples::next));
}

TEST_CASE("every contender trains, and is the recipe that the page names") {
  const auto task = race::perceptron(halves(), settings());
  const std::map<std::string, std::string> recipes{
      {"adamw", "cosine(100) | adamw"},
      {"adamw_wsd", "warmup_stable_decay(1, 100, 20) | adamw"},
      {"sf_adamw", "sf_adamw"},
      {"muon", "cosine(100) | muon(scale=match_rms(rms=0.2), auxiliary_lr=1)"},
      {"muon_wsd", "warmup_stable_decay(1, 100, 20) | muon(scale=match_rms(rms=0.2), auxiliary_lr=1)"},
      {"sf_muon", "sf_muon(scale=match_rms(rms=0.2))"},
      {"sf_muon_95", "sf_muon(beta=0.95, scale=match_rms(rms=0.2))"},
      {"sf_muon_98", "sf_muon(beta=0.98, scale=match_rms(rms=0.2))"},
      {"sf_normuon", "route(when(hidden_matrix, ema(beta=0.8) | orthogonalize_update(scale=none) | scale_by_row_rms | scale_to_rms), "
                     "otherwise(scale_by_exp_avg_sq)) | update_by_schedule_free"},
      {"sf_plus", "sf_plus(steps=100, average_steps=10)"},
      {"amuse", "amuse(beta1=0.8, rho=0.3)"},
      {"amuse_other", "amuse"},
      {"amuse_short_warmup", "amuse(beta1_steps=37)"},
      {"amuse_sgd", "amuse_sgd"},
      {"amuse_sgd_decay_at_y", "amuse_sgd(decay_at_y=1)"}};
  for (const auto& who : race::contenders("perceptron", task->describe(), 100)) {
    CAPTURE(who.key);
    auto options = who.options();
    options.lr = 0.05;
    const auto trained = [&](const std::string& chain) {
      return race::train(*task, thalweg::parse(chain), options, 100, 1, [](const race::point&) {});
    };
    const auto run = trained(who.chain);
    CHECK(run.curve.back().training.loss < run.curve.front().training.loss);
    CHECK(run.curve.back().training.loss == trained(recipes.at(who.key)).curve.back().training.loss);
  }
}

TEST_CASE("fused matrices are taken apart, by those who treat matrices otherwise") {
  race::description about;
  about.fused = "*.qkv.weight";
  for (const auto& who : race::contenders("gpt", about, 1000)) {
    const bool by_matrices = who.key.find("muon") != who.key.npos || who.key.find("amuse") != who.key.npos;
    const auto fused = who.chain.find("name_matches(\"*.qkv.weight\"), ");
    CHECK((fused != who.chain.npos && who.chain.find(" | in_row_blocks(3, ", fused) != who.chain.npos) == by_matrices);
    CHECK_NOTHROW(thalweg::parse(who.chain));
  }
}

TEST_CASE("AMUSE has the T₀ of its published experiments: 5 % of the steps on images, 3/8 on text") {
  for (const auto kind : {race::data_kind::images, race::data_kind::text}) {
    race::description about;
    about.kind = kind;
    const bool is_text = kind == race::data_kind::text;
    for (const auto& who : race::contenders("", about, 1000)) {
      CAPTURE(who.key);
      CHECK(who.warmup_steps == (who.key == (is_text ? "amuse" : "amuse_other") ? 375 : 50));
    }
  }
}

TEST_CASE("Student's t: the quantiles of a printed table") {
  const std::vector<std::pair<std::size_t, double>> printed{{1, 12.706}, {2, 4.303},  {3, 3.182},  {4, 2.776}, {5, 2.571},
                                                            {9, 2.262},  {10, 2.228}, {30, 2.042}, {120, 1.980}, {999, 1.962}};
  for (const auto& row : printed) {
    CAPTURE(row.first);
    CHECK(std::abs(race::student_t(row.first) - row.second) < 6e-4);
  }
  CHECK(race::within(1, 1) == doctest::Approx(0.5));  // Cauchy: 2/π · atan 1
  CHECK(race::within(1, 2) == doctest::Approx(1 / std::sqrt(3.0)));  // t/√(2 + t²)
}

TEST_CASE("paired differences, by hand") {
  // 1, 2, 3, 4, 5: mean 3, variance 2½, so half of the interval is 2.776·√(2½/5) = 2.776·0.7071
  const auto five = race::interval_of(std::vector<double>{1, 2, 3, 4, 5});
  CHECK(five.mean == 3);
  CHECK(*five.half_width == doctest::Approx(2.776445 * std::sqrt(0.5)));
  // two: mean ½, variance ½, half 12.706·√(½/2)
  CHECK(*race::interval_of(std::vector<double>{0, 1}).half_width == doctest::Approx(12.7062 * 0.5));
  CHECK(!race::interval_of(std::vector<double>{7}).half_width);
  CHECK(*race::interval_of(std::vector<double>{7, 7, 7}).half_width == 0);

  // Seeds far apart, and one difference throughout: it is certain, whatever the seeds' spread.
  const race::result a{"a", "A", 0.1, 0, {1, 2, 3}, {run_of({1}), run_of({5}), run_of({9})}};
  const race::result b{"b", "B", 0.1, 0, {1, 2, 3}, {run_of({1.5}), run_of({5.5}), run_of({9.5})}};
  const auto certain = race::paired(a, b, 0, race::validation_loss);
  CHECK(certain.mean == -0.5);
  CHECK(*certain.half_width == 0);
}

TEST_CASE("beside every table stand AMUSE's differences from the others, with their intervals") {
  const auto level = [](double loss) { return run_of(std::vector<double>(race::stops.size(), loss)); };
  // Of 1 and 2: mean 1½, half of the interval 12.706·½
  const std::vector<race::result> results{{"lion", "Lion", 0.1, 0, {1, 2}, {level(3), level(5)}},
                                          {"amuse", "AMUSE", 0.1, 0, {1, 2}, {level(4), level(7)}},
                                          {"adan", "Adan", 0.1, 0, {1, 2}, {level(4.5), level(7.5)}}};
  const auto text = race::tables(results, "bits a byte");
  CAPTURE(text);
  CHECK(text.find("| validation loss, bits a byte: mean difference [95 % interval] ") != text.npos);
  CHECK(text.find("| AMUSE − Lion ") != text.npos);
  CHECK(text.find(" +1.5000 [-4.8531, +7.8531] |") != text.npos);
  CHECK(text.find(" -0.5000 [-0.5000, -0.5000] |") != text.npos);
  CHECK(text.find("AMUSE − AMUSE") == text.npos);
  CHECK(race::tables(std::span(results).first(1), "").find("−") == std::string::npos);

  // Without AMUSE the first is compared; a single seed has no interval.
  const std::vector<race::result> two{{"lion", "Lion", 0.1, 0, {1}, {level(3)}}, {"adan", "Adan", 0.1, 0, {1}, {level(4)}}};
  const auto single = race::tables(two, "");
  CHECK(single.find("| Lion − Adan ") != single.npos);
  CHECK(single.find("-1.0000 |") != single.npos);
  CHECK(single.find('[') == single.npos);
}

TEST_CASE("a ledger keeps runs, gives them back bit for bit, and only to whom they belong") {
  const file ledger;
  std::vector<double> losses(race::stops.size(), 0.1);
  losses[1] = 1.0 / 3;
  losses[2] = std::nan("");
  const auto kept = run_of(losses);
  race::run_key key{{"data", "model", "batches", "split"}, "adamw", {.lr = 0.1, .warmup_steps = 5}, 100, 1};
  race::ledger(ledger.path, false).add(key, kept);

  const race::ledger again(ledger.path, true);
  const auto found = again.find(key);
  REQUIRE(found);
  for (std::size_t i = 0; i < losses.size(); ++i) {
    CHECK(found->curve[i].step == kept.curve[i].step);
    CHECK((found->curve[i].training.loss == losses[i] || std::isnan(losses[i])));
    CHECK(std::isnan(found->curve[i].validation.loss) == std::isnan(losses[i]));
    CHECK(found->curve[i].validation.accuracy == 0.25);
  }
  CHECK(found->seconds_a_step == 0.25);
  CHECK(!race::ledger(ledger.path, false).find(key));  // nobody asked for it

  for (auto change : std::vector<void (*)(race::run_key&)>{
           [](race::run_key& k) { k.seed = 2; }, [](race::run_key& k) { k.steps = 200; },
           [](race::run_key& k) { k.chain = "lion"; }, [](race::run_key& k) { k.options.lr = 0.2; },
           [](race::run_key& k) { k.options.weight_decay = 0.2; }, [](race::run_key& k) { k.options.warmup_steps = 4; },
           [](race::run_key& k) { k.about.split = "other"; }}) {
    race::run_key other = key;
    change(other);
    CHECK(!again.find(other));
  }
}

TEST_CASE("a ledger whose last line was cut off goes on without it; another line that is no run is refused") {
  const file ledger;
  const auto kept = run_of(std::vector<double>(race::stops.size(), 0.1));
  race::run_key one{{}, "adamw", {}, 100, 1}, two = one;
  two.seed = 2;
  race::ledger(ledger.path, false).add(one, kept);
  const auto whole = std::filesystem::file_size(ledger.path);
  race::ledger(ledger.path, false).add(two, kept);
  std::filesystem::resize_file(ledger.path, whole + 10);

  race::ledger resumed(ledger.path, true);
  CHECK(resumed.find(one));
  CHECK(!resumed.find(two));
  resumed.add(two, kept);
  CHECK(race::ledger(ledger.path, true).find(two));

  std::ofstream(ledger.path, std::ios::app) << "{}\n";
  CHECK_THROWS_WITH_AS(race::ledger(ledger.path, true), doctest::Contains("Expected a run in line 3 of"), race::error);
}
