// Transforms that contain other transforms. Each parses its own arguments.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <thalweg/text/call.hpp>

#include "tree.hpp"

namespace thalweg::text {

using parse_links = std::vector<node> (*)(const pipe&);

/// Whether `make_combinator` knows it.
bool is_combinator(std::string_view name);
std::vector<std::string> names_of_combinators();

/// `parallel(…)`, `scheduled(…)`, `in_row_blocks(…)`, `join(…)` and their like; `parse` for the chains inside.
shared_leaf make_combinator(const call& w, parse_links parse);

}  // namespace thalweg::text
