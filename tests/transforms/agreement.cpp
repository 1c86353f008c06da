#include "agreement.hpp"

#include <doctest/doctest.h>

namespace oracle {

using training::difference;

setting dozen() { return {.parameters = {{.name = "w", .shape = {5, 9}}}, .steps = 12}; }

vector start(const training::parameter& p) {
  vector values;
  for (std::size_t i = 0; i < p.size(); ++i) values.push_back(training::initial(p.first + i));
  return values;
}

history gradients(const setting& s, const training::parameter& p) {
  history g;
  for (long t = 1; t <= s.steps; ++t) {
    auto& now = g.emplace_back();
    for (std::size_t i = 0; i < p.size(); ++i) now.push_back(s.gradient_scale * training::gradient(t, p.first + i));
  }
  return g;
}

void agrees(const subject& chain, const setting& s, const outcome& expected, double within, double in_double_within) {
  const training::outcome<double> both{expected.y, expected.x, {}};
  wherever_it_runs(chain, [&](const subject& here) {
    const auto in_double = training::train(here.in_double, s);
    CHECK(difference(in_double.y, expected.y) < in_double_within);
    CHECK(difference(in_double.x, expected.x) < 10 * in_double_within);
    CHECK(difference(training::train(here.in_float, s), both) < within);
  });
}

void descends(const subject& chain, const update& u, decay how, const setting& s) {
  const auto& p = s.parameters.front();
  const auto y = descend(start(p), gradients(s, p), u, s.options.weight_decay, warmed_up(s.options), how);
  agrees(chain, s, {{y}, {y}});
}

void averages(const subject& chain, const update& u, const interpolation& beta, thalweg::decay_point decay,
              const setting& s) {
  const auto& p = s.parameters.front();
  const auto at = schedule_free(start(p), gradients(s, p), u, s.options, warmed_up(s.options), beta, decay);
  agrees(chain, s, {{at.y}, {at.x}});
}

void walks(const subject& chain, const step& step, const setting& s) {
  const auto& p = s.parameters.front();
  const auto y = walk(start(p), gradients(s, p), warmed_up(s.options),
                      [&](const vector& theta, const history& g, double lr) {
                        return step(theta, g, lr, s.options.weight_decay);
                      });
  agrees(chain, s, {{y}, {y}});
}

}  // namespace oracle
