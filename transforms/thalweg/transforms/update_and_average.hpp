// update_and_average: the end of a chain that averages its iterates beside the training.
#pragma once

#include <variant>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// What the average remembers.
struct every_step {};  ///< all steps, weighted as the optimizer's options say: Polyak and Ruppert's
struct forgetting {    ///< an exponential moving average
  double beta = 0.999;
  static constexpr auto fields = list{field{"beta", &forgetting::beta, from(0).below(1)}};
};
using memory_rule = std::variant<every_step, forgetting>;

/// θ ← (1-lr·λ)·θ - lr·u,  x ← (1-w)·x + w·θ  with w = c, the context's `average_weight`, or 1-β
///
/// | field  | default      | source                                                                            |
/// |--------|--------------|-----------------------------------------------------------------------------------|
/// | memory | every_step{} | Polyak & Juditsky, SIAM J. Control 30 (1992); `forgetting{β}` is the EMA of weights |
///
/// Training goes on as it would without the average. x is the point to evaluate. State: `average`, from the parameter.
///
///     auto c = scale_by_adam{} | update_and_average{.memory = forgetting{0.9999}};
struct update_and_average {
  memory_rule memory = every_step{};
  static constexpr auto fields = list{field{"memory", &update_and_average::memory}};

  using states = state<copy_of_param<"average">>;

  constexpr auto at(const context& c) const {
    const auto* ema = std::get_if<forgetting>(&memory);
    return [lr = c.lr, decay = c.lr * c.weight_decay, keep = ema ? ema->beta : 1 - c.average_weight]<class T>(
               element<T> e, T average) {
      const T theta = e.parameter - (T(lr) * e.update + T(decay) * e.parameter);
      return write(theta, lerp(theta, average, keep));
    };
  }

  constexpr auto average() const {
    return []<class T>(element<T>, T average) { return average; };
  }
};

}  // namespace thalweg
