// adafactor: a second moment with one number per row and column, and steps in proportion to the parameters.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/clip_by_rms.hpp>
#include <thalweg/transforms/scale_by_factored_rms.hpp>
#include <thalweg/transforms/scale_by_parameter_rms.hpp>

namespace thalweg::recipes {

/// Shazeer & Stern, arXiv 1804.04235. Their learning rate is min(0.01, 1/√t): {.lr = 0.01} after `inverse_sqrt`.
///
///     auto opt = optimizer(inverse_sqrt{.steps = 10000} | recipes::adafactor(), parameters, {.lr = 0.01});
struct adafactor {
  double decay = scale_by_factored_rms{}.decay;
  double epsilon = scale_by_factored_rms{}.epsilon;
  double max_rms = clip_by_rms{}.max_rms;
  double floor = scale_by_parameter_rms{}.floor;
  static constexpr auto fields = list{field{"decay", &adafactor::decay, range_of(&scale_by_factored_rms::decay)},
                                      field{"epsilon", &adafactor::epsilon, range_of(&scale_by_factored_rms::epsilon)},
                                      field{"max_rms", &adafactor::max_rms, range_of(&clip_by_rms::max_rms)},
                                      field{"floor", &adafactor::floor, range_of(&scale_by_parameter_rms::floor)}};

  /// The chain it stands for.
  template <class = void>
  constexpr auto links() const {
    return scale_by_factored_rms{.decay = decay, .epsilon = epsilon} | clip_by_rms{.max_rms = max_rms} |
           scale_by_parameter_rms{.floor = floor} | apply_update{};
  }
};

}  // namespace thalweg::recipes
