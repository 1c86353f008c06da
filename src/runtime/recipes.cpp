// Every recipe by its name, with its options.
#include <array>
#include <string_view>

#include "vocabulary.hpp"

namespace thalweg::runtime::detail {

namespace {

template <class Recipe>
compiled::recipe make_recipe(const word& w) {
  return read_fields<Recipe>(w);
}

struct named_recipe {
  std::string_view name;
  recipe_maker make;
};

constexpr auto all_recipes = []<class... Recipes>(type_list<Recipes...>) {
  return std::array{named_recipe{type_name<Recipes>(), &make_recipe<Recipes>}...};
}(recipes::all());

}  // namespace

recipe_maker find_recipe(std::string_view name) {
  for (const auto& r : all_recipes)
    if (r.name == name) return r.make;
  return nullptr;
}

std::vector<std::string> names_of_recipes() {
  std::vector<std::string> names;
  for (const auto& r : all_recipes) names.emplace_back(r.name);
  return names;
}

}  // namespace thalweg::runtime::detail
