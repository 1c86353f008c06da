// update_by_schedule_free: an end that averages its iterates instead of lowering the learning rate.
#pragma once

#include <optional>
#include <string_view>
#include <variant>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// Where weight decay acts: on the fast sequence z, or on y, the point of the gradient.
enum class decay_point { z, y };

constexpr std::string_view to_text(decay_point point) { return point == decay_point::z ? "z" : "y"; }

/// The weight w of the newest z in the average.
struct plain_weight {};   ///< c, the context's `average_weight`
struct refined_weight {   ///< min(1, c·(1-β)·window): how far the average reaches no longer depends on β
  double window = 200;
  static constexpr auto fields = list{field{"window", &refined_weight::window, positive}};
};
using weight_rule = std::variant<plain_weight, refined_weight>;

/// z ← z - lr·u,  x ← (1-w)·x + w·z,  y ← (1-β)·z + β·x
///
/// | field      | default        | source                                                                  |
/// |------------|----------------|-------------------------------------------------------------------------|
/// | beta       | 0.9            | Defazio et al., arXiv 2405.15682                                        |
/// | decay      | decay_point::z | AMUSE, arXiv 2605.22432                                                 |
/// | weight     | plain_weight{} | Defazio et al.; `refined_weight{C}`, C > 1/(1-β): Song et al., arXiv 2507.09846 |
/// | decay_at_y | none           | a second λ, as a multiple of the first: AMUSE |
///
/// z is the base sequence. x is the average, where you evaluate. y is in your parameters; you compute gradients there.
/// Only y and z are stored. x = z + (y-z)/β, with the β of the step that wrote y. This β is stored as a scalar. Decay
/// at z: z ← (1-lr·λ)·z - lr·u (AMUSE). Decay at y: z ← z - lr·(u + λ·y) (facebookresearch/schedule_free). `decay_at_y`
/// adds a decay at y to that of `decay`: z ← z - lr·(u + decay_at_y·λ·y) (an option of AMUSE's authors). If a transform
/// upstream sets β (`amuse_beta`), its β replaces the field.
///
/// A β between 0 and 0.001 is refused, because rounding would destroy x. With β = 0, y equals z and x is lost:
/// then evaluating at x throws, and so does raising β later. State: `z`, from the parameter; the scalar
/// `beta`.
///
///     auto sf_sgd = chain(update_by_schedule_free{.beta = 0.9, .decay = decay_point::y});
struct update_by_schedule_free {
  double beta = 0.9;
  decay_point decay = decay_point::z;
  weight_rule weight = plain_weight{};
  std::optional<double> decay_at_y{};
  static constexpr range betas = from(0).to(1);
  static constexpr auto fields = list{field{"beta", &update_by_schedule_free::beta, betas},
                                      field{"decay", &update_by_schedule_free::decay},
                                      field{"weight", &update_by_schedule_free::weight},
                                      field{"decay_at_y", &update_by_schedule_free::decay_at_y, non_negative}};

  using states = state<copy_of_param<"z">, scalar<"beta", &update_by_schedule_free::beta>>;
  using reads = interpolation_beta;

  constexpr auto at(const context& c, double built_with) const {
    const bool stands_still = c.average_weight == 0;  // lr is 0: y stays where it is
    const double ahead = stands_still ? built_with : c.heard<interpolation_beta>().value_or(beta);
    check_in_range("update_by_schedule_free", "beta", ahead, betas);
    if (ahead > 0 && ahead < 0.001)
      throw error("update_by_schedule_free", "Expected beta = 0 or beta >= 0.001. Received ", ahead,
                  ": rounding would destroy x = z + (y-z)/beta.");
    if (c.step > 1 && built_with == 0 && ahead > 0)
      throw error("update_by_schedule_free", "Expected beta > 0 in every step, or 0 in every step. Received ",
                  ahead, " after 0, but beta = 0 has destroyed the average.");
    const auto* refined = std::get_if<refined_weight>(&weight);
    const double decayed = c.lr * c.weight_decay, share = c.average_weight;
    const auto kernel = [lr = c.lr, decay_z = decay == decay_point::z ? decayed : 0,
                         decay_y = decayed * ((decay == decay_point::y) + decay_at_y.value_or(0)), inverse = built_with > 0 ? 1 / built_with : 0,
                         newest = refined ? min(1.0, share * (1 - ahead) * refined->window) : share, ahead]<class T>(
                            element<T> e, T z) {
      const T y = e.parameter;
      const T x = z + T(inverse) * (y - z);
      z = z - (T(lr) * e.update + T(decay_z) * z + T(decay_y) * y);
      return write(lerp(z, lerp(z, x, 1 - newest), ahead), z);
    };
    return next(kernel, ahead);
  }

  constexpr auto average(double built_with) const {
    if (built_with == 0)
      throw error("update_by_schedule_free", "Expected beta > 0 to evaluate at x. Received 0: y equals z, and there is no average. ",
                  "For an average use update_and_average.");
    return [inverse = 1 / built_with]<class T>(element<T> e, T z) { return z + T(inverse) * (e.parameter - z); };
  }
};

}  // namespace thalweg
