// adafactor: a second moment of one number a row and a column, and steps in proportion to the parameters.
#pragma once

#include <thalweg/core/apply_update.hpp>
#include <thalweg/core/chain.hpp>
#include <thalweg/transforms/clip_by_rms.hpp>
#include <thalweg/transforms/scale_by_factored_rms.hpp>
#include <thalweg/transforms/scale_by_parameter_rms.hpp>

namespace thalweg::recipes {

struct adafactor_options {
  double decay = 0.8;
  double epsilon = 1e-30;
  double max_rms = 1;
  double floor = 1e-3;
  static constexpr auto fields =
      list{field{"decay", &adafactor_options::decay, range_of(&scale_by_factored_rms::decay)},
           field{"epsilon", &adafactor_options::epsilon, range_of(&scale_by_factored_rms::epsilon)},
           field{"max_rms", &adafactor_options::max_rms, range_of(&clip_by_rms::max_rms)},
           field{"floor", &adafactor_options::floor, range_of(&scale_by_parameter_rms::floor)}};
};

/// Shazeer & Stern, arXiv 1804.04235, whose learning rate is min(0.01, 1/√t): {.lr = 0.01} behind `inverse_sqrt`.
///
///     auto opt = optimizer(inverse_sqrt{.steps = 10000} | recipes::adafactor(), parameters, {.lr = 0.01});
constexpr auto adafactor(adafactor_options o = {}) {
  return scale_by_factored_rms{.decay = o.decay, .epsilon = o.epsilon} | clip_by_rms{.max_rms = o.max_rms} |
         scale_by_parameter_rms{.floor = o.floor} | apply_update{};
}

}  // namespace thalweg::recipes
