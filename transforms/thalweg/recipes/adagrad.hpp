// adagrad: the gradient divided by the root of the sum of its squares.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_rss.hpp>

namespace thalweg::recipes {

/// Duchi et al., JMLR 12 (2011); torch.optim.Adagrad. The decay is an L2 penalty.
///
///     auto opt = optimizer(recipes::adagrad(), parameters, {.lr = 0.01});
struct adagrad {
  double initial = scale_by_rss{}.initial;
  double epsilon = scale_by_rss{}.epsilon;
  static constexpr auto fields = list{field{"initial", &adagrad::initial, range_of(&scale_by_rss::initial)},
                                      field{"epsilon", &adagrad::epsilon, range_of(&scale_by_rss::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return decay_weights{} | scale_by_rss{.initial = initial, .epsilon = epsilon} | apply_update{};
  }
};

}  // namespace thalweg::recipes
