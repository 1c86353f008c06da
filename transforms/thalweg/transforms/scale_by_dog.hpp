// scale_by_dog: learns the step size from the distance to the start and from the sum of squared gradients.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// r ← max(r, ‖θ - a‖, initial·(1 + ‖a‖)),  G ← G + ‖u‖²,  update u·r/√(G + ε), with a: the initial parameter
///
/// | field   | default | source                                                       |
/// |---------|---------|--------------------------------------------------------------|
/// | initial | 1e-6    | DoG, Ivgi et al., arXiv 2302.12022: r_ε; formll/dog uses 1e-4 with batch norms |
/// | epsilon | 1e-8    | formll/dog                                                   |
///
/// Model-wise. The norms are over all parameters of the chain or branch that have a gradient. Use lr = 1 and no
/// schedule. The authors evaluate an average of the weights: end the chain with `update_and_average`. For their weight
/// decay put `decay_weights` before it. State: `anchor`, from the parameter; the scalars `distance` r and `squares` G
/// of the model.
///
///     auto opt = optimizer(scale_by_dog{} | update_and_average{}, parameters, {.lr = 1});
struct scale_by_dog {
  double initial = 1e-6;
  double epsilon = 1e-8;
  static constexpr const char* elsewhere[] = {"dog"};
  static constexpr auto fields = list{field{"initial", &scale_by_dog::initial, positive},
                                      field{"epsilon", &scale_by_dog::epsilon, square_epsilon}};

  using states = state<copy_of_param<"anchor">, scalar<"distance">, scalar<"squares">>;

  constexpr auto reduce(const context&, double, double) const {
    return []<class T>(element<T> e, T anchor) {
      const T way = e.parameter - anchor;
      return sums(e.update * e.update, way * way, anchor * anchor);
    };
  }

  constexpr auto at(const context&, double squares, double way, double begin, double distance, double all_squares) const noexcept {
    const double total = all_squares + squares, farthest = max(max(distance, sqrt(way)), initial * (1 + sqrt(begin)));
    const auto kernel = [by = farthest / sqrt(total + epsilon)]<class T>(element<T> e, T anchor) {
      return next(T(by) * e.update, anchor);
    };
    // A number that is not finite appears in the parameters, but not in later steps.
    return next(kernel, is_finite(farthest) ? farthest : distance, is_finite(total) ? total : all_squares);
  }
};

}  // namespace thalweg
