// The whole of a measurement, on a task whose loss is the river valley itself.
#include <doctest/doctest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "../../examples/valley/error.hpp"
#include "../../examples/valley/positions.hpp"
#include "../../examples/valley/settings.hpp"
#include "../../examples/valley/summary.hpp"
#include "../../examples/valley/table.hpp"
#include "../../examples/valley/watch.hpp"
#include "../message.hpp"
#include "river.hpp"

using namespace valley;
using doctest::Approx;

namespace {

// Two parameters of two numbers. It starts at the coordinates (1, 1, 1, 0).
class river_model final : public race::model {
  std::vector<float> place_ = std::vector<float>(4), gradient_ = std::vector<float>(4);
  thalweg::optimizer<float> opt_;

public:
  river_model() { go_to(parameters(), river::at(1, 1, 1, 0)); }

  std::vector<thalweg::parameter<float>> parameters() override {
    return {{.name = "a", .shape = {2}, .data = place_.data()}, {.name = "b", .shape = {2}, .data = place_.data() + 2}};
  }
  std::vector<std::span<const float>> gradients() override { return {{gradient_.data(), 2}, {gradient_.data() + 2, 2}}; }
  double differentiate(race::examples) override {
    const vector place = place_of(parameters()), gradient = river::gradient(place);
    for (Eigen::Index i = 0; i < 4; ++i) gradient_[static_cast<std::size_t>(i)] = static_cast<float>(gradient[i]);
    return river::loss(place);
  }
  race::score judge(race::judged_on) override { return {}; }
  thalweg::optimizer<float>& bind(const thalweg::parsed_chain& chain, const thalweg::options& options) override {
    return opt_ = thalweg::optimizer<float>(chain, parameters(), options);
  }
  void step(double loss) override { opt_.step(gradients(), {.loss = loss}); }
};

class river_task final : public race::task {
public:
  race::description describe() const override { return {"a river", "valley", "one", "none"}; }
  std::unique_ptr<race::model> start(unsigned) const override { return std::make_unique<river_model>(); }
};

const race::contender descent{.key = "descent", .name = "Descent", .chain = "scale_lr(1)", .lr = 0.25, .weight_decay = 0};

double value(const observations& all, const std::string& optimizer, std::string_view measure) {
  return overall(history_of(all, "descent", optimizer, measure)).value().mean;
}

// A folder of its own, removed at the end.
struct folder {
  std::filesystem::path path = std::filesystem::temp_directory_path() / "thalweg-valley-test";
  folder() { std::filesystem::remove_all(path); }
  ~folder() { std::filesystem::remove_all(path); }
};

}  // namespace

TEST_CASE("z is the state of the average, x what it evaluates") {
  river_model model;
  auto& opt = model.bind(thalweg::parse("update_by_schedule_free(beta=0.75)"), {.lr = 0.25});
  const auto positions_after_step = [&] {
    model.step(model.differentiate(race::examples::next));
    return positions_of(model.parameters(), opt);
  };
  // One step: z and x are at (-1, 0, 7/8, 1/4), and so is y. The next gradient is (-8, 0, 7/16, -1), so z is at
  // (1, 0, 49/64, 1/2), x in the middle, and y three quarters of the way from z to x.
  const positions first = positions_after_step();
  CHECK((first.z - river::at(-1, 0, 0.875, 0.25)).norm() < 1e-6);
  CHECK((first.y - first.z).norm() < 1e-6);
  const positions second = positions_after_step();
  CHECK((second.z - river::at(1, 0, 0.765625, 0.5)).norm() < 1e-6);
  CHECK((second.x - 0.5 * (first.z + second.z)).norm() < 1e-6);
  CHECK((second.y - (0.25 * second.z + 0.75 * second.x)).norm() < 1e-6);
  CHECK(place_of_y(second).value() == Approx(0.75).epsilon(1e-5));
}

TEST_CASE("without an average z, y and x are one") {
  river_model model;
  auto& opt = model.bind(thalweg::parse("scale_lr(1)"), {.lr = 0.25});
  model.step(model.differentiate(race::examples::next));
  const positions p = positions_of(model.parameters(), opt);
  CHECK((p.y - river::at(-1, 0, 0.875, 0.25)).norm() < 1e-6);
  CHECK((p.z - p.y).norm() == 0);
  CHECK((p.x - p.y).norm() == 0);
}

TEST_CASE("gradient descent in the valley, measured") {
  // With lr = 1/4, along v₁ from wall to wall, and at the bottom along v₂ after the first step.
  const race::contender half{.key = "half", .name = "Half", .chain = "scale_lr(0.5)", .lr = 0.25};
  std::vector<long> passed;
  const observations seen = watch(river_task(), descent, {half}, {.steps = 20, .every = 10, .window = 8, .eigenvectors = 2,
                                  .plane_at = 20}, 3, [&](long step) { passed.push_back(step); });
  CHECK(passed == std::vector<long>{10, 20});
  const auto h = history_of(seen, "descent", "descent", "curvature_1");
  REQUIRE(h.size() == 1);
  CHECK(h.at(3).at(10) == Approx(8).epsilon(1e-3));
  CHECK(h.at(3).at(20) == Approx(8).epsilon(1e-3));
  CHECK(value(seen, "descent", "curvature_2") == Approx(4).epsilon(1e-3));
  CHECK(value(seen, "descent", "curvature_kept") == Approx(1).epsilon(1e-3));
  CHECK(value(seen, "descent", "curvature_times_step") == Approx(2).epsilon(1e-3));
  CHECK(value(seen, "descent", "curvature_times_step_at_y") == Approx(2).epsilon(1e-3));
  CHECK(value(seen, "half", "curvature_times_step") == Approx(1).epsilon(1e-3));
  CHECK(value(seen, "descent", "straightness_in_dominant") == Approx(0).epsilon(1e-3));  // eight steps: four times back
  CHECK(value(seen, "half", "straightness_in_dominant") == Approx(0).epsilon(1e-3));
  CHECK(value(seen, "descent", "straightness_in_bulk") > 0.95);
  // Along v₁ the gradient is ±8, along the bulk (½·(7/8)ᵗ, -1): at the step 2, where the first window begins, 64 of
  // 64 + ¼·(7/8)⁴ + 1.
  const double flat = 0.25 * std::pow(0.875, 4);
  CHECK(history_of(seen, "descent", "descent", "dominant_share_of_full_gradient").at(3).at(10) ==
        Approx(64 / (65 + flat)).epsilon(1e-4));
  CHECK(value(seen, "descent", "dominant_share_of_update") ==
        Approx(value(seen, "descent", "dominant_share_of_gradient")).epsilon(1e-4));
  CHECK(value(seen, "descent", "dominant_share_of_update") == Approx(value(seen, "half", "dominant_share_of_update")).epsilon(1e-4));
  // Nine iterates, c₁ = ±1: about the mean ±1/9. Nothing moves along v₂, so there is no autocorrelation to speak of.
  CHECK(value(seen, "descent", "hill_loss_at_y") == Approx(4 * (1 - 1.0 / 81)).epsilon(1e-3));
  CHECK(seen.swings.size() == 2 * 3 * 2);
  CHECK(seen.swings.front().sign_changes.value() == 1);
  CHECK(seen.swings.front().amplitude == Approx(std::sqrt(1 - 1.0 / 81)).epsilon(1e-3));
  CHECK(history_of(seen, "descent", "descent", "loss_at_y").at(3).at(10) ==
        Approx(4 + 0.25 * std::pow(0.875, 20) - 2.5).epsilon(1e-4));
  CHECK(history_of(seen, "descent", "descent", "beta").empty());
  // Eight steps of ¼ down the river, and a little along v₃.
  const double along_3 = std::pow(0.875, 2) - std::pow(0.875, 10);
  CHECK(history_of(seen, "descent", "descent", "bulk_distance_at_x").at(3).at(10) == Approx(std::hypot(2, along_3)).epsilon(1e-4));
  CHECK(seen.plane.size() == 3 * 9 + 17 * 17);
}

TEST_CASE("a run that diverges ends where it does") {
  race::contender wild = descent;
  wild.lr = 1e30;
  const observations seen = watch(river_task(), wild, {}, {.steps = 20, .every = 10, .window = 5, .eigenvectors = 2}, 1, [](long) {});
  CHECK(seen.numbers.empty());
}

TEST_CASE("observations are read as they were written") {
  const folder here;
  std::filesystem::create_directory(here.path);
  CHECK(read(here.path).numbers.empty());
  observations run;
  run.numbers.push_back({"a", "b", 2, 30, "beta", 0.125});
  run.swings.push_back({"a", 2, 30, 'y', 1, 8, 0.5, std::nullopt, 0.25});
  run.plane.push_back({"a", "z", -1, 2, std::nullopt});
  run.plane.push_back({"a", "loss", -1, 2, 0.5});
  append(here.path, run);
  append(here.path, run);
  const observations all = read(here.path);
  REQUIRE(all.numbers.size() == 2);
  CHECK(all.numbers[1].optimizer == "b");
  CHECK(all.numbers[1].seed == 2);
  CHECK(all.numbers[1].value == 0.125);
  REQUIRE(all.swings.size() == 2);
  CHECK(all.swings[1].sequence == 'y');
  CHECK(all.swings[1].sign_changes.value() == 0.5);
  CHECK_FALSE(all.swings[1].autocorrelation);
  REQUIRE(all.plane.size() == 4);
  CHECK_FALSE(all.plane[2].loss);
  CHECK(all.plane[3].loss.value() == 0.5);

  const auto file = here.path / "numbers.csv";
  const auto refused = [&](const std::string& text) {
    std::ofstream(file) << text;
    return test::message([&] { static_cast<void>(read(here.path)); });
  };
  const std::string head = "trajectory,optimizer,seed,step,measure,value\n";
  CHECK(refused("value\n") == "[valley] Expected 'trajectory,optimizer,seed,step,measure,value' in line 1 of " +
                                  file.string() + ". Received 'value'.");
  CHECK(refused(head + "a,b,x,30,beta,1\n") == "[valley] Expected a number in line 2 of " + file.string() + ". Received 'x'.");
  CHECK(refused(head + "a,b,2,30,beta\n").starts_with("[valley] Expected more cells in line 2"));
  CHECK(refused(head + "a,b,2,30,beta,1,\n").starts_with("[valley] Expected the end of the line in line 2"));
}

TEST_CASE("a folder keeps runs of the same settings alone") {
  const folder here;
  settings now{{"data", "model", "batches", ""}, {.steps = 100, .every = 10, .window = 5, .eigenvectors = 2}, "descent", {descent}};
  CHECK(test::message([&] { static_cast<void>(read_settings(here.path)); }) ==
        "[valley] Expected a file " + (here.path / "settings.json").string() + ". Received none.");
  keep_settings(here.path, now);
  now.optimizers = {{.key = "other", .name = "Other", .chain = "adam"}};
  keep_settings(here.path, now);
  const settings kept = read_settings(here.path);
  REQUIRE(kept.optimizers.size() == 2);
  CHECK(kept.optimizers[0].lr == 0.25);
  CHECK(kept.optimizers[1].chain == "adam");
  CHECK(kept.plan.window == 5);
  now.optimizers[0].chain = "adamw";
  CHECK(test::message([&] { keep_settings(here.path, now); }).find("other {\"name\":\"Other\",\"chain\":\"adam\"") != std::string::npos);
  now.plan.window = 6;
  CHECK(test::message([&] { keep_settings(here.path, now); }).ends_with("window 5. Received 6."));
  std::ofstream(here.path / "settings.json") << "{";
  CHECK(test::message([&] { keep_settings(here.path, now); }).starts_with("[valley] Expected settings in "));
}

TEST_CASE("differences are taken seed by seed") {
  observations all;
  for (const unsigned seed : {1u, 2u}) {
    const double noise = 10 * seed;
    all.numbers.push_back({"descent", "descent", seed, 10, "beta", noise + 1});
    all.numbers.push_back({"descent", "descent", seed, 20, "beta", noise + 3});
    all.numbers.push_back({"other", "other", seed, 10, "beta", noise});
  }
  // 2 with both seeds: the interval has no width.
  const std::string text = tables(all, {{}, {}, "descent", {descent, {.key = "other", .name = "Other", .chain = ""}}});
  CHECK(text.find("+2 [+2, +2]") != std::string::npos);
  CHECK(by_step(history_of(all, "descent", "descent", "beta")).at(20).mean == 18);
}
