#include "vocabulary.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <numeric>

#include <thalweg/core/error.hpp>

#include <thalweg/transforms.hpp>

#include "../passes/compile.hpp"
#include "../passes/transforms.hpp"
#include "combinators.hpp"
#include "leaves.hpp"
#include "recipes.hpp"
#include "calls.hpp"

namespace thalweg {

namespace text {

template <class Transform>
shared_leaf leaf_of_library(const Transform& t) {
  return leaf_for<passes::lowered_in_library>(t);
}

namespace {

template <class Transform>
shared_leaf leaf_from(const call& w) {
  return leaf_of_library(read_fields<Transform>(w));
}

template <class... Transforms>
void compile_leaves(type_list<Transforms...>) {
  (detail::compile(&leaf_of_library<Transforms>), ...);
}
[[gnu::used]] void compile_all_leaves() { compile_leaves(all_transforms()); }

// ---- all words ------------------------------------------------------------------------------------

struct vocabulary {
  std::map<std::string, leaf_maker, std::less<>> transforms;
  std::map<std::string, recipe_maker, std::less<>> recipes;
  std::map<std::string, std::string, std::less<>> elsewhere;  ///< other libraries' names, and ours
  std::mutex mutex;  ///< the user may add words

  vocabulary() {
    const auto note = [&](std::span<const char* const> names, std::string_view ours) {
      for (const char* const name : names) elsewhere.emplace(name, ours);
    };
    [&]<class... Transforms>(type_list<Transforms...>) {
      (transforms.emplace(detail::name_of_type<Transforms>, &leaf_from<Transforms>), ...);
      (note(names_elsewhere<Transforms>(), detail::name_of_type<Transforms>), ...);
    }(all_transforms());
    for (const named_recipe& r : all_recipes()) {
      recipes.emplace(r.name, r.make);
      note(r.elsewhere, r.name);
    }
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
    throw error("parse", "Expected a transform with a new name. Received a second '", name, "'.");
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
