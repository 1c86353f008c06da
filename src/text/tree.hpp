// A chain from text, taken apart.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <variant>
#include <vector>

#include <thalweg/text.hpp>
#include <thalweg/text/leaf.hpp>

namespace thalweg::text {

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
};

/// `ema(beta=0.9) | scale_by_sign`; nothing for no links.
std::string to_text(const std::vector<node>& links);

}  // namespace thalweg::text
