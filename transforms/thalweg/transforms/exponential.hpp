// exponential: the learning rate falls exponentially.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← lr·max(least, byᵖ),  p = (t-1)/steps
///
/// | field | default  | source                                                        |
/// |-------|----------|---------------------------------------------------------------|
/// | steps | required |                                                               |
/// | by    | 0.5      | halved every `steps` steps; torch's ExponentialLR has `gamma` |
/// | least | 0        |                                                               |
///
///     auto c = exponential{.steps = 1000, .by = 0.9} | scale_by_adam{};
struct exponential {
  required<long> steps;
  double by = 0.5;
  double least = 0;
  static constexpr const char* elsewhere[] = {"exponential_decay"};
  static constexpr auto fields = list{field{"steps", &exponential::steps, from(1)},
                                      field{"by", &exponential::by, above(0).to(1)},
                                      field{"least", &exponential::least, from(0).to(1)}};

  constexpr context at(context c) const {
    c.lr *= max(least, pow(by, static_cast<double>(c.step - 1) / static_cast<double>(steps)));
    return c;
  }
};

}  // namespace thalweg
