// scale_by_polyak: steps in proportion to the loss above its minimum.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// update u·min(longest, (loss - minimum)/‖u‖²), with the norm over all parameters of the chain or branch
///
/// | field   | default | source                                                                          |
/// |---------|---------|---------------------------------------------------------------------------------|
/// | minimum | 0       | the lowest possible loss; Polyak 1987, Loizou et al., arXiv 2002.10542          |
/// | longest | 1       | the latter: γ_b; optax.polyak_sgd's max_learning_rate                           |
///
/// Model-wise; reads the loss: `step(gradients, {.loss = loss})`. If the loss is below the minimum, the update is 0.
/// Use it with lr = 1.
///
///     auto opt = optimizer(scale_by_polyak{} | apply_update{}, parameters, {.lr = 1});
struct scale_by_polyak {
  double minimum = 0;
  double longest = 1;
  static constexpr auto fields = list{field{"minimum", &scale_by_polyak::minimum, finite_number},
                                      field{"longest", &scale_by_polyak::longest, positive}};

  using reads = loss_of_step;

  constexpr auto reduce(const context&) const {
    return []<class T>(element<T> e) { return e.update * e.update; };
  }

  constexpr auto at(const context& c, double sum_of_squares) const noexcept {
    const double above = c.loss.value_or(minimum) - minimum;
    const double by = above <= 0 || sum_of_squares == 0 ? 0 : above / sum_of_squares;
    return [by = longest < by ? longest : by]<class T>(element<T> e) { return next(T(by) * e.update); };
  }
};

}  // namespace thalweg
