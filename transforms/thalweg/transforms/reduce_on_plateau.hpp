// reduce_on_plateau: lowers the learning rate when the loss stops falling.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// lr ← factor·lr. If the loss has stayed above lowest - tolerance·|lowest| for more than `patience` steps: factor ←
/// max(factor·by, least), and the count starts again.
///
/// | field     | default | source                                      |
/// |-----------|---------|---------------------------------------------|
/// | by        | 0.1     | torch.optim.lr_scheduler.ReduceLROnPlateau  |
/// | patience  | 10      | the same                                    |
/// | tolerance | 1e-4    | the same: threshold                         |
/// | least     | 0       | the same: min_lr, as a multiple             |
///
/// Reads the loss: `step(gradients, {.loss = loss})`. State: the scalars `lowest`, `waited`, `factor`.
///
///     auto c = reduce_on_plateau{.patience = 500} | scale_by_adam{};
struct reduce_on_plateau {
  double by = 0.1;
  long patience = 10;
  double tolerance = 1e-4;
  double least = 0;
  static constexpr auto fields = list{field{"by", &reduce_on_plateau::by, above(0).below(1)},
                                      field{"patience", &reduce_on_plateau::patience, from(0)},
                                      field{"tolerance", &reduce_on_plateau::tolerance, from(0).below(1)},
                                      field{"least", &reduce_on_plateau::least, from(0).to(1)}};

  using states = state<scalar<"lowest">, scalar<"waited">, scalar<"factor">>;
  using reads = loss_of_step;

  constexpr auto at(context c, double lowest, double waited, double factor) const {
    const double loss = c.loss.value_or(0);
    if (c.step == 1) factor = 1;
    if (c.step == 1 || !is_finite(lowest)) {  // a loss that is not finite is nothing to compare with
      lowest = loss;
    } else if (loss < lowest - tolerance * abs(lowest)) {
      lowest = loss;
      waited = 0;
    } else if (++waited > static_cast<double>(patience)) {
      factor = max(least, by * factor);
      waited = 0;
    }
    c.lr *= factor;
    return next(c, lowest, waited, factor);
  }
};

}  // namespace thalweg
