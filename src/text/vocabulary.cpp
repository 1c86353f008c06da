#include "vocabulary.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>
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
      made.when = std::make_shared<predicate>(predicate{text_of(b.predicate), b.predicate});
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
  std::map<std::string, std::string, std::less<>> elsewhere;  ///< other libraries' names, and ours
  std::mutex mutex;  ///< the user may add words

  vocabulary() {
    const auto note = [&]<class Word>(std::type_identity<Word>) {
      if constexpr (requires { Word::elsewhere; })
        for (const std::string_view name : Word::elsewhere) elsewhere.emplace(name, type_name<Word>());
    };
    [&]<class... Transforms>(type_list<Transforms...>) {
      (transforms.emplace(type_name<Transforms>(), &make_leaf<Transforms, passes::dispatched>), ...);
      (note(std::type_identity<Transforms>()), ...);
    }(all_transforms());
    [&]<class... Recipes>(type_list<Recipes...>) {
      (recipes.emplace(type_name<Recipes>(), &links_of_recipe<Recipes>), ...);
      (note(std::type_identity<Recipes>()), ...);
    }(thalweg::recipes::all());
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
std::string letters_of(std::string_view name) {
  std::string letters = in_lower_case(name);
  std::erase(letters, '_');
  return letters;
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

}  // namespace

void check_name(std::string_view name) {
  if (!is_name(name)) throw error("parse", "Expected a name of letters, digits and '_'. Received ", in_quotes(name), ".");
}

leaf_maker find_transform(std::string_view name) { return found(words().transforms, name); }
recipe_maker find_recipe(std::string_view name) { return found(words().recipes, name); }
std::vector<std::string> names_of_transforms() { return names_of(words().transforms); }
std::vector<std::string> names_of_recipes() { return names_of(words().recipes); }

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

std::string joined(std::span<const std::string> names) {
  std::string text;
  for (const std::string& name : names) text += in_words(text.empty() ? "" : ", ", name);
  return text;
}

std::string near(std::string_view name, std::span<const std::string> known) {
  constexpr std::size_t most = 4, inside = 100;
  std::map<std::string_view, std::size_t> distances;
  const std::string part = in_lower_case(name), given = letters_of(name);
  const auto compare = [&](std::string_view spelling, const std::string& word) {
    const std::string theirs = letters_of(spelling);
    const std::size_t edits = edits_between(given, theirs);
    const bool close = edits <= std::max<std::size_t>(1, std::min(given.size(), theirs.size()) / 3);
    if (!close && (part.size() < 3 || spelling.find(part) == spelling.npos)) return;
    auto& distance = distances.emplace(word, inside).first->second;
    distance = std::min(distance, close ? edits : inside);
  };
  if (name.size() <= 64)
    for (const std::string& word : known) {
      compare(word, word);
      for (const auto& [spelling, ours] : words().elsewhere)
        if (ours == word) compare(spelling, word);
    }
  std::vector<std::pair<std::size_t, std::string>> nearest;
  for (const auto& [word, distance] : distances) nearest.emplace_back(distance, word);
  std::ranges::sort(nearest);
  std::vector<std::string> shown;
  for (const auto& [distance, word] : nearest)
    if (shown.size() < most && (distance == 0 || nearest.front().first > 0)) shown.push_back(word);
  return shown.empty() ? "" : in_words(" Near: ", joined(shown), ".");
}

}  // namespace text

}  // namespace thalweg
