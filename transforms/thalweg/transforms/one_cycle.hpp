// one_cycle: the learning rate rises, then falls to almost 0, along two half cosines.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr·f, where f goes from `initial` to 1 in the first rise·steps steps and from there to `final` at step `steps`
///
/// | field   | default  | source                                                                 |
/// |---------|----------|------------------------------------------------------------------------|
/// | steps   | required |                                                                        |
/// | rise    | 0.3      | torch's OneCycleLR; Smith & Topin, arXiv 1708.07120                    |
/// | initial | 0.04     | the same: 1/25                                                         |
/// | final   | 4e-6     | the same: 1e-4 of `initial`                                            |
///
///     auto c = one_cycle{.steps = 10000} | heavyball_momentum{};
struct one_cycle {
  required<long> steps;
  double rise = 0.3;
  double initial = 0.04;
  double final = 4e-6;
  static constexpr auto fields = list{field{"steps", &one_cycle::steps, from(1)},
                                      field{"rise", &one_cycle::rise, from(0).to(1)},
                                      field{"initial", &one_cycle::initial, from(0).to(1)},
                                      field{"final", &one_cycle::final, from(0).to(1)}};

  constexpr context at(context c) const {
    const double last = static_cast<double>(steps) - 1, top = max(0.0, rise * static_cast<double>(steps) - 1);
    const double now = min(static_cast<double>(c.step - 1), last);
    const auto between = [](double a, double b, double part) { return b + (a - b) * (1 + cos(std::numbers::pi * part)) / 2; };
    c.lr *= now < top ? between(initial, 1, now / top) : last > top ? between(1, final, (now - top) / (last - top)) : 1.0;
    return c;
  }
};

}  // namespace thalweg
