// update_and_average: an end that keeps an average of the iterates without changing the training.
#pragma once

#include <variant>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// Which steps the average contains.
struct every_step {};  ///< all steps, weighted as the optimizer's options say: Polyak and Ruppert's
struct forgetting {    ///< an exponential moving average
  double beta = 0.999;
  static constexpr auto fields = list{field{"beta", &forgetting::beta, from(0).below(1)}};
};
using memory_rule = std::variant<every_step, forgetting>;

/// θ ← (1-lr·λ)·θ - lr·u,  x ← x + w·(θ-x)  with w = c, the context's `average_weight`, or 1-β
///
/// | field  | default      | source                                                                            |
/// |--------|--------------|-----------------------------------------------------------------------------------|
/// | memory | every_step{} | Polyak & Juditsky, SIAM J. Control 30 (1992); `forgetting{β}` is the EMA of weights |
///
/// x is the point to evaluate. State: `average`, from the parameter, and `lost`, the rounding error of the average,
/// which the next step adds (Kahan's sum). So the average also follows changes below half a unit in its last place.
/// With β = 0.9999 in float32 these are all changes below 6e-4 of a weight near 1.
///
///     auto c = scale_by_adam{} | update_and_average{.memory = forgetting{0.9999}};
struct update_and_average {
  memory_rule memory = every_step{};
  static constexpr auto fields = list{field{"memory", &update_and_average::memory}};

  using states = state<copy_of_param<"average">, displacement<"lost">>;

  constexpr auto at(const context& c) const {
    const auto* ema = std::get_if<forgetting>(&memory);
    return [lr = c.lr, decay = c.lr * c.weight_decay, weight = ema ? 1 - ema->beta : c.average_weight]<class T>(
               element<T> e, T average, T lost) {
      const T theta = e.parameter - (T(lr) * e.update + T(decay) * e.parameter);
      const T change = T(weight) * (theta - average) + lost;
      const T moved = average + change;
      return write(theta, moved, change - (moved - average));
    };
  }

  constexpr auto average() const {
    return []<class T>(element<T>, T average, T) { return average; };
  }
};

}  // namespace thalweg
