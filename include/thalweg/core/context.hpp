// The scalars of a step, at one place of a chain.
#pragma once

#include <array>
#include <cstddef>
#include <optional>

#include <thalweg/core/error.hpp>
#include <thalweg/core/type_id.hpp>

namespace thalweg {

/// What `at(context)` receives, once per step. A contextual transform returns a changed copy for the transforms
/// downstream (only in its own route).
///
///     constexpr auto at(context c) const { c.lr *= by; return c; }
struct context {
  /// t, 1-based: for a contextual transform the optimizer's steps, for all others the steps in which the parameter had a
  /// gradient
  long step = 1;
  std::optional<long> schedule_step{};  ///< the optimizer's steps, if `step` counts others
  double lr = 0;                 ///< after warm-up and the schedules upstream
  double weight_decay = 0;       ///< λ, decoupled; 0 after a transform that has applied it
  long warmup_steps = 0;         ///< T₀

  std::optional<long> gathered{};  ///< the number of calls of `step` in this step, if it is smaller than a gate's

  std::optional<double> loss{};  ///< if the user passed it

  double average_weight = 1;     ///< c_t, from the lr at the end of the route, including schedules downstream

  struct said {
    detail::type_id what = nullptr;
    double value = 0;
  };
  std::array<said, 4> all_said{};  ///< by transforms upstream

  /// The number that a transform upstream passed under the name `What`, a type.
  ///
  ///     struct interpolation_beta {};
  ///     c.say<interpolation_beta>(0.9);                                   // upstream
  ///     const double now = c.heard<interpolation_beta>().value_or(beta);  // downstream
  template <class What>
  [[nodiscard]] constexpr std::optional<double> heard() const {
    for (const said& s : all_said)
      if (s.what == detail::id_of<What>()) return s.value;
    return {};
  }
  template <class What>
  constexpr void say(double value) {
    for (said& s : all_said)
      if (s.what == detail::id_of<What>() || !s.what) {
        s = {detail::id_of<What>(), value};
        return;
      }
    throw error("context", "Expected transforms that pass at most ", all_said.size(), " numbers downstream. Received one more.");
  }
};

}  // namespace thalweg
