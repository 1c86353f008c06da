// The words that a chain from text may be made of.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <thalweg/text/vocabulary.hpp>
#include <thalweg/text/call.hpp>

#include "tree.hpp"

namespace thalweg::text {

/// The transform of a name, if there is one: the library's or the user's.
leaf_maker find_transform(std::string_view name);

/// The links of a recipe, with the options that a word names.
using recipe_maker = std::vector<node> (*)(const call&);
recipe_maker find_recipe(std::string_view name);

std::vector<std::string> names_of_transforms();
std::vector<std::string> names_of_recipes();

/// Throws if it is no valid name.
void check_name(std::string_view name);

/// `ema, mars`
std::string joined(std::span<const std::string> names);

/// ` Near: ema, mars.`, or nothing. Capitals and underscores do not count. A word is also near where its name in another
/// library is near. Where a word has the same letters, no other word is near.
std::string near(std::string_view name, std::span<const std::string> known);

}  // namespace thalweg::text
