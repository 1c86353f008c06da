// cautious: no step against the current gradient.
#pragma once

#include <string_view>

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// Which elements agree with the gradient, and how they are scaled up.
enum class caution_rule {
  published,  ///< u·g > 0; times n/(kept + 1)
  heavyball   ///< the same sign, zero among the positive; times n/max(kept, 1)
};

constexpr std::string_view to_text(caution_rule r) { return r == caution_rule::published ? "published" : "heavyball"; }

/// update u·n/(kept + 1) where u·g > 0, else 0. n counts the parameter's elements, `kept` those with u·g > 0.
///
/// | field | default   | source                                                         |
/// |-------|-----------|----------------------------------------------------------------|
/// | rule  | published | Liang et al., arXiv 2411.16085; `heavyball` replays HeavyBall  |
///
/// Parameter-wise. g is the user's gradient, or the mean of the gradients after `accumulate`. A NaN stays NaN.
///
///     auto c = scale_by_adam{} | cautious{} | apply_update{};
struct cautious {
  caution_rule rule = caution_rule::published;
  static constexpr auto fields = list{field{"rule", &cautious::rule}};

  using over = each_parameter;

  constexpr auto reduce(const context&) const {
    return [zero = of_zero()]<class T>(element<T> e) {
      return sums(where(agreement(e, zero) > T(0), T(1), T(0)), T(1));
    };
  }

  constexpr auto at(const context&, double kept, double all) const noexcept {
    const double by = rule == caution_rule::published ? all / (kept + 1) : all / max(kept, 1.0);
    return [zero = of_zero(), by]<class T>(element<T> e) {
      return next(where(agreement(e, zero) <= T(0), T(0), T(by) * e.update));
    };
  }

private:
  [[nodiscard]] constexpr double of_zero() const { return rule == caution_rule::published ? 0 : 1; }

  // The product of the signs, of which that of a zero is given.
  template <class T>
  static constexpr T agreement(const element<T>& e, double zero) {
    const T u = sign(e.update), g = sign(e.gradient);
    return where(u == T(0), T(zero), u) * where(g == T(0), T(zero), g);
  }
};

}  // namespace thalweg
