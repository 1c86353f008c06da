// Transforms made of other transforms, without their types. Chains in C++ and chains from text share them.
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/core/program.hpp>

namespace thalweg::detail {

/// Combines the results of the branches, and writes them to the update.
template <class T>
struct merge {
  std::function<void(tensor<T> update, std::span<const tensor<const T>> branches)> apply;
  bool may_throw = false;
};

/// Each branch gets a copy of the update. `source.known` has the passes of the branches' stages.
template <class T>
any_transform<T> make_parallel(merge<T> how, std::vector<std::vector<any_transform<T>>> branches, std::string text,
                               const pass_source<T>& source);

/// Whether a branch may contain this transform.
constexpr bool fits_a_branch(const traits& is) {
  return is.what != kind::modelwise && !is.ends && !is.gates && is.scalars == 0 && !is.spends_decay;
}

/// Applies a tensor-wise transform without state to each of several equal blocks of rows.
template <class T>
any_transform<T> make_row_blocks(any_transform<T> inner, long blocks);

/// A number with a schedule: the schedule changes it as it would change a learning rate.
struct number_schedule {
  std::size_t field;  ///< the number's place among the fields
  double value;       ///< its first value
  std::function<context(const context&)> schedule;
  bool reads_loss = false;
};
/// The number at a step.
template <class Schedule>
constexpr double scheduled_value(double value, context c, const Schedule& schedule) {
  c.lr = value;
  c.step = c.schedule_step.value_or(c.step);
  return schedule(c).lr;
}

/// A transform with a schedule for one of its numbers.
template <class T>
any_transform<T> make_scheduled(any_transform<T> inner, number_schedule moves, std::string text);

}  // namespace thalweg::detail
