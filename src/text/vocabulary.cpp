#include "vocabulary.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
#include <tuple>
#include <type_traits>

#include <thalweg/core/error.hpp>

#include <thalweg/recipes.hpp>
#include <thalweg/transforms.hpp>

#include "../passes/dispatched.hpp"
#include "combinators.hpp"
#include "words.hpp"

namespace thalweg {

namespace text {
namespace {

// ---- recipes, as trees ----------------------------------------------------------------------------

template <class Transform>
void add_links(std::vector<node>& to, const Transform& t) {
  to.emplace_back(std::make_shared<leaf_of<Transform, passes::dispatched>>(t));
}
template <class... Branches>
void add_links(std::vector<node>& to, const routed<Branches...>& r);
template <class... Links>
void add_links(std::vector<node>& to, const chained<Links...>& c) {
  std::apply([&](const auto&... l) { (add_links(to, l), ...); }, c.links);
}
template <class... Branches>
void add_links(std::vector<node>& to, const routed<Branches...>& r) {
  route fork;
  const auto add = [&]<class Predicate, class Links>(const thalweg::branch<Predicate, Links>& b) {
    branch made;
    if constexpr (!std::is_same_v<Predicate, every_parameter>)
      made.when = std::make_shared<predicate>(predicate{std::string(name_of(b.predicate)), b.predicate});
    add_links(made.links, b.chain);
    fork.branches.push_back(std::move(made));
  };
  std::apply([&](const auto&... b) { (add(b), ...); }, r.branches);
  to.emplace_back(std::move(fork));
}

template <class Recipe>
std::vector<node> links_of_recipe(const call& w) {
  std::vector<node> links;
  add_links(links, chain(read_fields<Recipe>(w)));
  return links;
}

// ---- all words ------------------------------------------------------------------------------------

struct vocabulary {
  std::map<std::string, leaf_maker, std::less<>> transforms;
  std::map<std::string, recipe_maker, std::less<>> recipes;
  std::map<std::string, std::shared_ptr<const predicate>, std::less<>> predicates;
  std::mutex mutex;  ///< the user may add words

  vocabulary() {
    [&]<class... Transforms>(type_list<Transforms...>) {
      (transforms.emplace(type_name<Transforms>(), &make_leaf<Transforms, passes::dispatched>), ...);
    }(all_transforms());
    [&]<class... Recipes>(type_list<Recipes...>) {
      (recipes.emplace(type_name<Recipes>(), &links_of_recipe<Recipes>), ...);
    }(thalweg::recipes::all());
    [&](const auto&... all) {
      (predicates.emplace(all.name, std::make_shared<predicate>(predicate{std::string(all.name), all})), ...);
    }(hidden_matrix, is_embedding, is_head, is_vector);
  }
};

vocabulary& words() {
  static vocabulary all;
  return all;
}

template <class Map>
auto found(const Map& map, std::string_view name) {
  const std::scoped_lock lock(words().mutex);
  const auto at = map.find(name);
  return at == map.end() ? typename Map::mapped_type() : at->second;
}
template <class Map>
std::vector<std::string> names_of(const Map& map) {
  const std::scoped_lock lock(words().mutex);
  std::vector<std::string> names;
  for (const auto& [name, what] : map) names.push_back(name);
  return names;
}

std::string in_lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return lower;
}

// Letters to put in, leave out, replace or swap with their neighbour.
std::size_t edits_between(std::string_view a, std::string_view b) {
  std::vector<std::size_t> before(b.size() + 1), row(b.size() + 1), next(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    next[0] = i + 1;
    for (std::size_t j = 0; j < b.size(); ++j) {
      next[j + 1] = std::min({row[j + 1] + 1, next[j] + 1, row[j] + (a[i] != b[j])});
      if (i && j && a[i] == b[j - 1] && a[i - 1] == b[j]) next[j + 1] = std::min(next[j + 1], before[j - 1] + 1);
    }
    before = std::exchange(row, next);
  }
  return row.back();
}

void check_name(std::string_view name) {
  if (!is_name(name)) throw error("parse", "Expected a name of letters, digits and '_'. Received ", quoted(name), ".");
}

}  // namespace

leaf_maker find_transform(std::string_view name) { return found(words().transforms, name); }
recipe_maker find_recipe(std::string_view name) { return found(words().recipes, name); }
std::shared_ptr<const predicate> find_predicate(std::string_view name) { return found(words().predicates, name); }
std::vector<std::string> names_of_transforms() { return names_of(words().transforms); }
std::vector<std::string> names_of_recipes() { return names_of(words().recipes); }
std::vector<std::string> names_of_predicates() { return names_of(words().predicates); }

void add_transform(std::string_view name, leaf_maker make) {
  check_name(name);
  const bool taken = is_combinator(name) || find_recipe(name);
  const std::scoped_lock lock(words().mutex);
  const auto [at, added] = words().transforms.emplace(name, make);
  if (taken || at->second != make) {
    if (taken && added) words().transforms.erase(at);
    throw error("parse", "Expected a transform with a name of its own. Received another '", name, "'.");
  }
}

std::string near(std::string_view name, std::span<const std::string> known) {
  constexpr std::size_t most = 4;
  std::vector<std::tuple<std::size_t, std::string_view>> close;
  if (name.size() <= 64)
    for (const std::string& k : known) {
      const std::string given = in_lower_case(name), theirs = in_lower_case(k);
      const std::size_t edits = edits_between(given, theirs);
      const bool inside = given.size() >= 3 && theirs.find(given) != theirs.npos;
      if (edits <= std::max<std::size_t>(1, std::min(name.size(), k.size()) / 3)) close.emplace_back(edits, k);
      else if (inside) close.emplace_back(100, k);
    }
  std::ranges::sort(close);
  std::string text;
  for (std::size_t i = 0; i < std::min(most, close.size()); ++i)
    text += in_words(text.empty() ? " Near: " : ", ", std::get<1>(close[i]));
  return in_words(text, text.empty() ? "" : ".");
}

}  // namespace text

void add_predicate(std::string name, std::function<bool(const parameter_info&)> holds) {
  text::check_name(name);
  if (!holds) throw error("parse", "Expected a predicate for '", name, "'. Received none.");
  auto kept = std::make_shared<text::predicate>(text::predicate{name, std::move(holds)});
  const std::scoped_lock lock(text::words().mutex);
  if (!text::words().predicates.emplace(std::move(name), kept).second)
    throw error("parse", "Expected a predicate with a name of its own. Received another '", kept->name, "'.");
}

}  // namespace thalweg
