// update_by_schedule_free_polyak: Schedule-Free with a step size from the loss.
#pragma once

#include <limits>
#include <optional>

#include <thalweg/core/annealed_beta.hpp>
#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// e ← p·e + (1-p)·√(π/2)·‖g‖₁,  α = lr·(loss + β·⟨g, z - x⟩)₊ / ê with ê = e/(1-pᵗ),  z ← z - α·u - α²·λ·y,
/// x ← (1-c)·x + c·z,  y ← (1-β)·z + β·x, with g: the user's gradient, c: the context's `average_weight`
///
/// | field     | default | source                                                                                    |
/// |-----------|---------|-------------------------------------------------------------------------------------------|
/// | beta      | 0.9     | ScheduleFree+, Defazio, arXiv 2605.19095; facebookresearch/schedule_free: sf_beta1        |
/// | steps     | none    | the same: β moves to `last_beta` in so many steps, as by `anneal_beta`; none: it does not |
/// | last_beta | 0.965   | the same: sf_beta1_max                                                                    |
/// | norm_beta | 0       | the same: polyak_beta, p                                                                  |
///
/// Model-wise; reads the loss: `step(gradients, {.loss = loss})`. The sums are over all parameters of the chain or
/// branch that have a gradient. The lowest possible loss must be near 0. Use lr = 1 with a warm-up. λ is not that of
/// AdamW: the authors use 5 to 50. c comes from lr without the Polyak step. The authors' code weighs a step by the
/// largest α so far, and begins the average after their "c warm-up" (`average_from`). If lr is constant after the
/// warm-up and the largest α comes early, these differ only in the weights of the first steps. Both x and z are stored,
/// because β changes, also while a parameter has no gradient. State: `z`, `x`, from the parameter; the scalars `norm` e
/// and `share` 1-pᵗ of the model.
///
///     auto opt = optimizer(scale_by_adam{.beta2 = 0.95} | update_by_schedule_free_polyak{}, parameters, {.lr = 1});
struct update_by_schedule_free_polyak {
  double beta = 0.9;
  std::optional<long> steps{};
  double last_beta = 0.965;
  double norm_beta = 0;
  static constexpr auto fields =
      list{field{"beta", &update_by_schedule_free_polyak::beta, from(0).below(1)},
           field{"steps", &update_by_schedule_free_polyak::steps, from(1)},
           field{"last_beta", &update_by_schedule_free_polyak::last_beta, from(0).below(1)},
           field{"norm_beta", &update_by_schedule_free_polyak::norm_beta, from(0).below(1)}};

  using states = state<copy_of_param<"z">, copy_of_param<"x">, scalar<"norm">, scalar<"share">>;
  using reads = loss_of_step;

  constexpr auto reduce(const context& c, double, double) const {
    return [ahead = beta_of(c)]<class T>(element<T> e, T z, T x) {
      return sums(abs(e.gradient), T(ahead) * e.gradient * (z - x));
    };
  }

  constexpr auto at(const context& c, double magnitudes, double product, double norm, double share) const noexcept {
    constexpr double root_of_half_pi = 1.2533141373155003;
    const double ahead_norm = lerp(root_of_half_pi * magnitudes, norm, norm_beta);
    const double ahead_share = lerp(1.0, share, norm_beta);
    const double above = c.loss.value_or(0) + product;
    // A bad number appears in the parameters; the scalars stay as they were.
    const bool is_usable = is_finite(magnitudes) && is_finite(product);
    const double lr = !is_usable                      ? std::numeric_limits<double>::quiet_NaN()
                      : above <= 0 || ahead_norm == 0 ? 0
                                                      : c.lr * above * ahead_share / ahead_norm;
    const bool stands_still = c.average_weight == 0;  // lr is 0: y stays where it is
    const auto kernel = [lr, decay = lr * lr * c.weight_decay, newest = c.average_weight, ahead = beta_of(c),
                         stands_still]<class T>(element<T> e, T z, T x) {
      z = z - (T(lr) * e.update + T(decay) * e.parameter);
      x = lerp(z, x, 1 - newest);
      return write(stands_still ? e.parameter : lerp(z, x, ahead), z, x);
    };
    return next(kernel, is_usable ? ahead_norm : norm, is_usable ? ahead_share : share);
  }

  constexpr auto average(double, double) const {
    return []<class T>(element<T>, T, T x) { return x; };
  }

private:
  constexpr double beta_of(const context& c) const { return steps ? annealed_beta(beta, last_beta, c.step, *steps) : beta; }
};

}  // namespace thalweg
