// Recipes as programs, whose passes the library holds: nothing of them is compiled where they are bound.
#include "recipes.hpp"

#include <tuple>
#include <utility>

#include <thalweg/core/optimizer.hpp>
#include <thalweg/recipes.hpp>

#include "dispatched.hpp"

namespace thalweg {

namespace passes {
namespace {

template <class T, class... Recipes>
detail::known_passes<T> of_all(type_list<Recipes...>) {
  detail::known_passes<T> all;
  (all.add(detail::passes_of_chain<T, dispatched, decltype(chain(Recipes()))>()), ...);
  return all;
}

}  // namespace

template <class T>
const detail::known_passes<T>& of_recipes() {
  static const auto all = of_all<T>(recipes::all());
  return all;
}
template const detail::known_passes<float>& of_recipes();
template const detail::known_passes<double>& of_recipes();

}  // namespace passes

template <class T, class Recipe>
detail::program<T> recipes::as_program(const Recipe& recipe, std::size_t which) {
  const auto& [set, text] = passes::available(which);
  const auto links = chain(recipe);
  detail::nodes<T> made;
  detail::add_nodes<T, passes::dispatched, true>(made, links, set);
  return detail::make_program<T>(to_text(links), std::move(made),
                                 detail::erased<T, passes::dispatched, true>(apply_update(), set),
                                 {.set = set, .run_by = text, .known = &passes::of_recipes<T>()});
}

namespace {

template <class T, class... Recipes>
constexpr auto programs_of(type_list<Recipes...>) {
  return std::tuple{&recipes::as_program<T, Recipes>...};
}
// What has its address taken is compiled.
[[gnu::used]] constexpr auto in_float = programs_of<float>(recipes::all());
[[gnu::used]] constexpr auto in_double = programs_of<double>(recipes::all());

}  // namespace

}  // namespace thalweg
