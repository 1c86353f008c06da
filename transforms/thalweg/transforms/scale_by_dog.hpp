// scale_by_dog: a step as long as the way so far, over the root of all squares of gradients.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// r ← max(r, ‖θ - a‖, initial·(1 + ‖a‖)),  G ← G + ‖u‖²,  update u·r/√(G + ε), with a: where training began
///
/// | field   | default | source                                                       |
/// |---------|---------|--------------------------------------------------------------|
/// | initial | 1e-6    | DoG, Ivgi et al., arXiv 2302.12022: r_ε; formll/dog, which takes 1e-4 beside batch normalisation |
/// | epsilon | 1e-8    | formll/dog                                                   |
///
/// Model-wise, with the norms over every parameter that passes here and has a gradient. Use it with lr = 1 and without a schedule.
/// The authors evaluate at an average of the weights: end the chain with `update_and_average`. They add a weight decay to the
/// gradient: `decay_weights` before it.
/// State: `anchor`, from the parameter; the scalars `distance` r and `squares` G, which are the model's.
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
    // What is not finite spoils the parameters for all to see, and no later step.
    return next(kernel, farthest - farthest == 0 ? farthest : distance, total - total == 0 ? total : all_squares);
  }
};

}  // namespace thalweg
