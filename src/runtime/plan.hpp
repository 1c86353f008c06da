// A run-time chain laid out for execution: what core/plan.hpp does at compile time, with its refusals as errors.
#pragma once

#include <cstddef>
#include <vector>

#include "path.hpp"
#include "tree.hpp"

namespace thalweg::runtime::detail {

using thalweg::detail::part;

struct plan {
  std::vector<shared_leaf> leaves;     ///< in the order in which they are written, and `apply_update`
  std::vector<std::size_t> first_sum;  ///< by leaf, and how many there are
  std::vector<path> paths;
  /// The leaves at which all parameters wait for each other, each after those that it waits for, and the end.
  std::vector<std::size_t> phases;
  std::vector<std::vector<part>> parts;  ///< by path and phase
  std::size_t stopping_leaf = 0, gate_leaf = 0;  ///< leaf_count() where there is none

  /// Throws where transforms stand where they may not.
  explicit plan(std::vector<node> links);

  [[nodiscard]] std::size_t leaf_count() const { return leaves.size() - 1; }
  /// Which path a parameter takes. Throws where none will have it.
  [[nodiscard]] std::size_t select(const parameter_info& p) const;

private:
  std::vector<node> links_;
};

}  // namespace thalweg::runtime::detail
