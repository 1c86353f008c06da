// update_by_lookahead: an end that goes k steps forward, and then part of the way back.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// θ ← (1-lr·λ)·θ - lr·u; every `period` steps s ← s + alpha·(θ - s), θ ← s
///
/// | field  | default | source                             |
/// |--------|---------|------------------------------------|
/// | alpha  | 0.5     | Zhang et al., arXiv 1907.08610     |
/// | period | 5       | the same: k                        |
///
/// s is the point to evaluate. State: `slow`, from the parameter.
///
///     auto c = scale_by_adam{} | update_by_lookahead{.alpha = 0.8, .period = 6};
struct update_by_lookahead {
  double alpha = 0.5;
  long period = 5;
  static constexpr auto fields = list{field{"alpha", &update_by_lookahead::alpha, above(0).to(1)},
                                      field{"period", &update_by_lookahead::period, from(1)}};

  using states = state<copy_of_param<"slow">>;

  constexpr auto at(const context& c) const {
    const bool meets = c.step % period == 0;
    return [lr = c.lr, decay = c.lr * c.weight_decay, by = meets ? alpha : 0, back = meets ? 0 : 1]<class T>(
               element<T> e, T slow) {
      const T fast = e.parameter - (T(lr) * e.update + T(decay) * e.parameter);
      slow = lerp(fast, slow, 1 - by);
      return write(T(back) * fast + T(1 - back) * slow, slow);
    };
  }

  constexpr auto average() const {
    return []<class T>(element<T>, T slow) { return slow; };
  }
};

}  // namespace thalweg
