// The options of an optimizer.
#pragma once

#include <cstdint>

#include <thalweg/core/field.hpp>
#include <thalweg/core/stored.hpp>
#include <thalweg/core/threads.hpp>

namespace thalweg {

/// Settings of the optimizer as a whole. The settings of a transform are its fields.
struct options {
  double lr = 1e-3;
  double weight_decay = 0;      ///< λ, decoupled
  long warmup_steps = 0;        ///< T₀: lr_t = lr · min(1, t/T₀)
  double weight_lr_power = 2;   ///< p of the average's weight t^r · lr_t^p (Schedule-Free, arXiv 2405.15682);
                                /// < with `weigh_by_largest_lr`, of the largest lr so far
  double r = 0;
  state_in state = state_in::same;           ///< the type of state
  weights_in weights = weights_in::exact;    ///< how 16-bit parameters are rounded
  std::uint64_t seed = 0;                    ///< of stochastic rounding
  parallel_for parallel = threads();  ///< the threads of a step

  static constexpr auto fields = list{
      field{"lr", &options::lr, non_negative},
      field{"weight_decay", &options::weight_decay, non_negative},
      field{"warmup_steps", &options::warmup_steps, from(0)},
      field{"weight_lr_power", &options::weight_lr_power, non_negative},
      field{"r", &options::r, non_negative}};
};

}  // namespace thalweg
