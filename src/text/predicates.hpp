// Predicates from text: `hidden_matrix`, `name_matches("*.bias")`, `all_of(hidden_matrix, has_rank(2))`.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/text/call.hpp>

#include "tree.hpp"

namespace thalweg::text {

/// The predicate that an argument says. Throws `error` where it says none.
std::shared_ptr<const predicate> read_predicate(const argument& a);

bool is_predicate(std::string_view name);

}  // namespace thalweg::text
