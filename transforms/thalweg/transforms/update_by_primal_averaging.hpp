// update_by_primal_averaging: Schedule-Free's three sequences with an exponential moving average.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// z ← (1-lr·λ)·z - lr·u,  x ← μ_x·x + (1-μ_x)·z,  y ← μ_y·x + (1-μ_y)·z
///
/// | field | default | source                                                                               |
/// |-------|---------|--------------------------------------------------------------------------------------|
/// | mu_x  | 0.9967  | generalised primal averaging, Defazio et al., arXiv 2512.17131; 0.9^(1/32), as long |
/// |       |         | as DiLoCo's outer momentum of 0.9 over 32 inner steps |
/// | mu_y  | 0.9     | ours: Schedule-Free's β                                                              |
///
/// Evaluate at x. Compute gradients at y, which is in the parameters. Only y and z are stored, and x = z + (y-z)/μ_y.
/// Below μ_y = 0.001 rounding would destroy x, so the range begins there. With μ_x = 1 - 1/t and μ_y = β this is
/// Schedule-Free. State: `z`, from the parameter.
///
///     auto c = scale_by_adam{.beta1 = 0} | update_by_primal_averaging{.mu_x = 0.998, .mu_y = 0.9};
struct update_by_primal_averaging {
  double mu_x = 0.9967;
  double mu_y = 0.9;
  static constexpr auto fields = list{field{"mu_x", &update_by_primal_averaging::mu_x, from(0).below(1)},
                                      field{"mu_y", &update_by_primal_averaging::mu_y, from(0.001).to(1)}};

  using states = state<copy_of_param<"z">>;

  constexpr auto at(const context& c) const {
    return [*this, lr = c.lr, decay = c.lr * c.weight_decay]<class T>(element<T> e, T z) {
      const T x = z + T(1 / mu_y) * (e.parameter - z);
      z = z - (T(lr) * e.update + T(decay) * z);
      return write(lerp(z, lerp(z, x, mu_x), mu_y), z);
    };
  }

  constexpr auto average() const {
    return [inverse = 1 / mu_y]<class T>(element<T> e, T z) { return z + T(inverse) * (e.parameter - z); };
  }
};

}  // namespace thalweg
