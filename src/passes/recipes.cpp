#include "recipes.hpp"

#include <thalweg/core/lower.hpp>
#include <thalweg/recipes.hpp>

#include "dispatched.hpp"

namespace thalweg::passes {

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

}  // namespace thalweg::passes
