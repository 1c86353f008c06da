// Recipes, as trees of what the library holds compiled.
#pragma once

#include <span>
#include <string_view>

#include "vocabulary.hpp"

namespace thalweg::text {

struct named_recipe {
  std::string_view name;
  recipe_maker make;
  std::span<const char* const> elsewhere;  ///< its names in other libraries
};
std::span<const named_recipe> all_recipes();

}  // namespace thalweg::text
