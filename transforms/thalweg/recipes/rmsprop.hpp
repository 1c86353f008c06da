// rmsprop: the gradient divided by its running root mean square.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/decay_weights.hpp>
#include <thalweg/transforms/scale_by_rms.hpp>

namespace thalweg::recipes {

/// torch.optim.RMSprop without momentum; the decay is an L2 penalty.
///
///     auto opt = optimizer(recipes::rmsprop(), parameters, {.lr = 0.01});
struct rmsprop {
  double beta = scale_by_rms{}.beta;
  double epsilon = scale_by_rms{}.epsilon;
  static constexpr auto fields = list{field{"beta", &rmsprop::beta, range_of(&scale_by_rms::beta)},
                                      field{"epsilon", &rmsprop::epsilon, range_of(&scale_by_rms::epsilon)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return decay_weights{} | scale_by_rms{.beta = beta, .epsilon = epsilon} | apply_update{};
  }
};

}  // namespace thalweg::recipes
