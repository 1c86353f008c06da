#include "recipes.hpp"

#include <array>
#include <memory>
#include <type_traits>
#include <utility>
#include <vector>

#include <thalweg/recipes.hpp>
#include <thalweg/text.hpp>

#include "../passes/compile.hpp"
#include "leaves.hpp"

namespace thalweg {

namespace text {
namespace {

template <class Transform>
void add_links(std::vector<node>& to, const Transform& t) {
  to.emplace_back(leaf_of_library(t));
}
template <class... Branches>
void add_links(std::vector<node>& to, const routed<Branches...>& r);
template <class... Links>
void add_links(std::vector<node>& to, const chained<Links...>& c) {
  const auto add = [&](const auto& l) { add_links(to, l); };
  c.links.for_each(add);
}
template <class... Branches>
void add_links(std::vector<node>& to, const routed<Branches...>& r) {
  route fork;
  const auto add = [&]<class Predicate, class Links>(const thalweg::branch<Predicate, Links>& b) {
    branch made;
    if constexpr (!std::is_same_v<Predicate, every_parameter>)
      made.when = std::make_shared<predicate>(predicate{text_of(b.predicate), b.predicate});
    add_links(made.links, b.chain);
    fork.branches.push_back(std::move(made));
  };
  r.branches.for_each(add);
  to.emplace_back(std::move(fork));
}

template <class Recipe>
std::vector<node> links_of(const Recipe& r) {
  std::vector<node> links;
  add_links(links, chain(r));
  return links;
}

template <class Recipe>
std::vector<node> make(const call& w) {
  return links_of(read_fields<Recipe>(w));
}

template <class... Recipes>
constexpr std::array<named_recipe, sizeof...(Recipes)> listed(type_list<Recipes...>) {
  return {named_recipe{detail::name_of_type<Recipes>, &make<Recipes>, names_elsewhere<Recipes>()}...};
}

}  // namespace

std::span<const named_recipe> all_recipes() {
  static constexpr auto all = listed(recipes::all());
  return all;
}

}  // namespace text

template <class T, class Recipe>
detail::program<T> recipes::as_program(const Recipe& recipe, std::size_t which) {
  return parsed_chain(std::make_shared<const text::tree>(text::tree{text::links_of(recipe)})).as_program<T>(which);
}

namespace {

template <class T, class... Recipes>
void compile_programs(type_list<Recipes...>) {
  (detail::compile(&recipes::as_program<T, Recipes>), ...);
}
[[gnu::used]] void compile_all_programs() {
  compile_programs<float>(recipes::all());
  compile_programs<double>(recipes::all());
}

}  // namespace

}  // namespace thalweg
