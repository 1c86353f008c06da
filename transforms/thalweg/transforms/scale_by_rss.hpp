// scale_by_rss: AdaGrad's root of the sum of squares.
#pragma once

#include <thalweg/core/concepts.hpp>

namespace thalweg {

/// s ← s + u²,  update u / (√s + ε)
///
/// | field   | default | source                                                     |
/// |---------|---------|------------------------------------------------------------|
/// | initial | 0       | torch.optim.Adagrad; TensorFlow and optax start at 0.1     |
/// | epsilon | 1e-10   | torch.optim.Adagrad; Duchi et al., JMLR 12 (2011)          |
///
/// State: `sum_of_squares`, from `initial`.
///
///     auto adagrad = scale_by_rss{.initial = 0.1} | apply_update{};
struct scale_by_rss {
  double initial = 0;
  double epsilon = 1e-10;
  static constexpr auto fields = list{field{"initial", &scale_by_rss::initial, non_negative},
                                      field{"epsilon", &scale_by_rss::epsilon, root_epsilon}};

  using states = state<filled<"sum_of_squares", &scale_by_rss::initial>>;

  constexpr auto at(const context&) const {
    return [*this]<class T>(element<T> e, T sum) {
      const T u = squarable(e.update, 0x1p-11);
      sum = sum + u * u;
      return next(u / (sqrt(sum) + T(epsilon)), sum);
    };
  }
};

}  // namespace thalweg
