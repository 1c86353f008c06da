// piecewise: the learning rate changes at given steps.
#pragma once

#include <array>
#include <string>
#include <tuple>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// From step `from` on the learning rate is multiplied by `by`.
struct change {
  required<long> from;
  required<double> by;
  static constexpr auto fields =
      list{field{"from", &change::from, thalweg::from(1)}, field{"by", &change::by, non_negative}};
};

/// lr ← lr·Π by, over all changes that have begun
///
/// torch.optim.lr_scheduler.MultiStepLR, optax.piecewise_constant_schedule.
///
///     auto c = piecewise{change{.from = 30001, .by = 0.1}, change{.from = 60001, .by = 0.1}} | heavyball_momentum{};
template <std::size_t N>
struct piecewise {
  std::array<change, N> changes;

  [[nodiscard]] std::string text() const {
    return std::apply([](const auto&... change) { return call_text("piecewise", to_text(change)...); }, changes);
  }

  constexpr context at(context c) const {
    for (const auto& change : changes) {
      check_fields("piecewise", change);
      if (c.step >= change.from) c.lr *= change.by;
    }
    return c;
  }
};
template <class... Changes>
piecewise(Changes...) -> piecewise<sizeof...(Changes)>;

}  // namespace thalweg
