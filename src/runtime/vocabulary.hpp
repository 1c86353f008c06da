// The words that a run-time chain may be made of.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/compiled.hpp>
#include <thalweg/runtime/vocabulary.hpp>
#include <thalweg/runtime/word.hpp>

#include "tree.hpp"

namespace thalweg::runtime::detail {

/// The transform of a name, if there is one: the library's or the user's.
maker find_transform(std::string_view name);
std::shared_ptr<const predicate> find_predicate(std::string_view name);

using recipe_maker = compiled::recipe (*)(const word&);
recipe_maker find_recipe(std::string_view name);

std::vector<std::string> names_of_transforms();
std::vector<std::string> names_of_predicates();
std::vector<std::string> names_of_recipes();

/// ` Near: ema, mars.`, or nothing; capitals count as small letters.
std::string near(std::string_view name, std::span<const std::string> known);

}  // namespace thalweg::runtime::detail
