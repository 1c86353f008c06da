// Steps that are not taken, and how many in a row.
#include <cmath>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <doctest/doctest.h>
#include <thalweg/core/optimizer.hpp>
#include <thalweg/text.hpp>
#include <thalweg/transforms/tensorwise.hpp>
#include <thalweg/transforms/when_finite.hpp>

#include "../message.hpp"

using namespace thalweg;

TEST_CASE("a limit of skipped steps in a row") {
  const auto train = [](const std::string& chain, const std::vector<double>& gradients, long reload_after = -1) {
    std::string text;
    float w = 0, g = 0;
    const std::vector<parameter<float>> of{{.name = "w", .shape = {1}, .data = &w}};
    optimizer<float> opt(chain, of, {.lr = 1});
    for (std::size_t t = 0; t < gradients.size(); ++t) {
      g = static_cast<float>(gradients[t]);
      const float before = w;
      const std::string said = test::message([&] { text += opt.step({std::span<const float>(&g, 1)}).taken ? "t" : "s"; });
      if (said != "nothing was thrown") {
        text += "!";
        CHECK(w == before);
        CHECK(said == "[" + chain.substr(0, chain.find('(')) +
                          "] Expected at most 2 skipped steps in a row. Received one more, because of the gradient of 'w'.");
      }
      if (static_cast<long>(t) != reload_after) continue;
      const std::string saved = opt.to_bytes();
      opt = optimizer<float>(chain, of, {.lr = 1});
      opt.load_bytes(saved);
      CHECK(opt.to_bytes() == saved);
    }
    return text;
  };
  const std::string finite = "when_finite(limit=2) | apply_update", small = "skip_large_updates(max_norm=2, limit=2) | apply_update";
  CHECK(train(finite, {1, NAN, NAN, 1, NAN, NAN, NAN, NAN, 1, NAN}) == "tsstss!!ts");
  CHECK(train(small, {1, 3, 3, 2, 3, NAN, 3, 1, 3}) == "tsstss!ts");
  for (const long after : {0, 1, 2, 3}) CHECK(train(finite, {1, NAN, NAN, NAN, 1}, after) == "tss!t");
  CHECK(train("when_finite | apply_update", {NAN, NAN, NAN, NAN}) == "ssss");

  // A loss that is not finite counts as well. A call that accumulate gathers begins the count anew.
  float w = 0, g = 1;
  optimizer<float> opt("when_finite(limit=1) | accumulate(steps=3) | apply_update", {{.name = "w", .shape = {1}, .data = &w}}, {.lr = 1});
  const std::span<const float> given(&g, 1);
  CHECK(!opt.step({given}, {.loss = NAN}).taken);
  CHECK(!opt.step({given}, {.loss = 1}).taken);
  CHECK(!opt.step({given}, {.loss = INFINITY}).taken);
  CHECK(test::message([&] { opt.step({given}, {.loss = NAN}); }) ==
        "[when_finite] Expected at most 1 skipped steps in a row. Received one more.");
  CHECK(test::message([&] { optimizer<float>("when_finite(limit=-1)", {{.name = "w", .shape = {1}, .data = &w}}, {.lr = 1}); })
            .find("limit") != std::string::npos);
}

TEST_CASE("a step that throws does not begin the count of skipped steps anew") {
  float w = 0, g = 1;
  bool stumbles = false;
  const auto chain = when_finite{.limit = 1} | tensorwise("stumble", [&](tensor<float>) {
    if (stumbles) throw std::runtime_error("stumbled");
  });
  optimizer<float> opt(chain, std::vector<parameter<float>>{{.name = "w", .shape = {1}, .data = &w}}, {.lr = 1});
  const auto step = [&](float gradient) {
    g = gradient;
    return test::message([&] { opt.step({std::span<const float>(&g, 1)}); });
  };
  CHECK(step(NAN) == "nothing was thrown");
  stumbles = true;
  CHECK(step(1) == "stumbled");
  stumbles = false;
  CHECK(step(NAN).starts_with("[when_finite] Expected at most 1 skipped steps in a row."));
  CHECK(w == 0);
}

TEST_CASE("set refuses what decides whether a step is skipped") {
  float w = 0;
  optimizer<float> opt("skip_large_updates(max_norm=1) | apply_update", {{.name = "w", .shape = {1}, .data = &w}}, {.lr = 1});
  CHECK(test::message([&] { opt.set("skip_large_updates.max_norm", 5); }).starts_with("[set] Expected "));
}

TEST_CASE("skip_large_updates skips infinity, whatever the norm that it allows") {
  float w = 0;
  const float infinity = INFINITY, large = 1e38f;
  optimizer<float> opt("skip_large_updates(max_norm=1e300) | scale(by=0) | apply_update", {{.name = "w", .shape = {1}, .data = &w}}, {.lr = 1});
  CHECK(!opt.step({std::span<const float>(&infinity, 1)}).taken);
  CHECK(opt.step({std::span<const float>(&large, 1)}).taken);
}
