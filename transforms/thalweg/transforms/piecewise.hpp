// piecewise: a learning rate that falls, or rises, at given steps.
#pragma once

#include <array>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// From step `from` on the learning rate is multiplied by `by`.
struct change {
  long from = 1;
  double by = 1;
};

/// lr ← lr·Π by, over all changes that have begun
///
/// torch.optim.lr_scheduler.MultiStepLR, optax.piecewise_constant_schedule.
///
///     auto c = piecewise{change{.from = 30001, .by = 0.1}, change{.from = 60001, .by = 0.1}} | heavyball_momentum{};
template <std::size_t N>
struct piecewise {
  std::array<change, N> changes;

  constexpr context at(context c) const {
    for (const auto& change : changes) {
      check_in_range("piecewise", "from", static_cast<double>(change.from), thalweg::from(1));
      check_in_range("piecewise", "by", change.by, non_negative);
      if (c.step >= change.from) c.lr *= change.by;
    }
    return c;
  }
};
template <class... Changes>
piecewise(Changes...) -> piecewise<sizeof...(Changes)>;

}  // namespace thalweg
