// A run-time chain, taken apart.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <thalweg/compiled.hpp>
#include <thalweg/runtime.hpp>
#include <thalweg/runtime/leaf.hpp>

namespace thalweg::runtime::detail {

struct branch;

/// Each parameter takes the first branch whose predicate holds for it.
struct route {
  std::vector<branch> branches;
};

using node = std::variant<shared_leaf, route>;

struct predicate {
  std::string name;
  std::function<bool(const parameter_info&)> holds;
};

struct branch {
  std::shared_ptr<const predicate> when;  ///< null: otherwise
  std::vector<node> links;
};

struct tree {
  std::vector<node> links;
  std::shared_ptr<const compiled::recipe> recipe{};  ///< where the chain is one, and nothing else
};

/// `ema(beta=0.9) | scale_by_sign`; nothing for no links.
std::string to_text(const std::vector<node>& links);

}  // namespace thalweg::runtime::detail
