// From words to chains.
#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>

#include <thalweg/core/error.hpp>

#include "combinators.hpp"
#include "predicates.hpp"
#include "vocabulary.hpp"
#include "calls.hpp"

namespace thalweg {

namespace text {

namespace {

std::vector<node> links_of(const pipe& words);

/// Words that are no links of a chain, and the places that they have instead.
struct placed_name {
  std::string_view text, place;
};
constexpr std::array placed_names{placed_name{"for_steps", "join(for_steps(n, schedule), …, schedule), not last"},
                                  placed_name{"change", "piecewise(change(from, by), …)"},
                                  placed_name{"when", "route(when(predicate, chain), …)"},
                                  placed_name{"otherwise", "route(…, otherwise(chain)), last"},
                                  placed_name{"ensemble", "parallel(ensemble, chain, …), first"},
                                  placed_name{"grafting", "parallel(grafting, chain, chain), first"}};

/// `when(hidden_matrix, a | b)`, `otherwise(c)`
branch branch_of(const argument& a, bool last) {
  constexpr std::string_view expected = "when(predicate, chain), …, otherwise(chain)";
  if (!a.name.empty() || a.value.size() != 1) refuse_argument("route", std::string(expected), a);
  const call& w = a.value.front();
  auto inside = w.arguments.begin();
  branch b;
  if (w.text == "when" && !w.arguments.empty()) {
    b.when = read_predicate(*inside++);
  } else if (w.text != "otherwise" || !last) {
    refuse_argument("route", std::string(expected), a);
  }
  for (; inside != w.arguments.end(); ++inside) {
    if (!inside->name.empty()) refuse_argument(w.text, "chains", *inside);
    auto links = links_of(inside->value);
    b.links.insert(b.links.end(), std::move_iterator(links.begin()), std::move_iterator(links.end()));
  }
  return b;
}

route route_of(const call& w) {
  if (w.arguments.empty())
    throw error("parse", "Expected for route: when(predicate, chain), …, otherwise(chain). Received none at column ",
                w.column, ".");
  route r;
  for (const argument& a : w.arguments) r.branches.push_back(branch_of(a, &a == &w.arguments.back()));
  return r;
}

std::vector<node> links_of(const pipe& words) {
  std::vector<node> links;
  const auto append = [&](std::vector<node> more) {
    links.insert(links.end(), std::move_iterator(more.begin()), std::move_iterator(more.end()));
  };
  for (const call& w : words) {
    if (w.text == "route") {
      links.emplace_back(route_of(w));
    } else if (w.text == "chain") {
      for (const argument& a : w.arguments) {
        if (!a.name.empty()) refuse_argument("chain", "chains", a);
        append(links_of(a.value));
      }
    } else if (const leaf_maker make = find_transform(w.text)) {
      links.emplace_back(make(w));
    } else if (const recipe_maker recipe = find_recipe(w.text)) {
      append(recipe(w));
    } else if (is_combinator(w.text)) {
      links.emplace_back(make_combinator(w, &links_of));
    } else {
      const auto* const at = std::ranges::find(placed_names, is_predicate(w.text) ? "when" : w.text, &placed_name::text);
      if (at != placed_names.end())
        throw error("parse", "Expected a transform or recipe. Received ", in_quotes(w.text), " at column ", w.column,
                    ", which stands in ", at->place, ".");
      auto known = names_of_transforms();
      for (const auto& more : {names_of_recipes(), names_of_combinators()})
        known.insert(known.end(), more.begin(), more.end());
      known.insert(known.end(), {"route", "chain"});
      throw error("parse", "Expected a transform or recipe. Received ", in_quotes(w.text), " at column ", w.column, ".",
                  near(w.text, known));
    }
  }
  return links;
}

std::string text_of(const node& n) {
  if (const auto* leaf = std::get_if<shared_leaf>(&n)) return (*leaf)->text();
  std::string text;
  for (const branch& b : std::get<route>(n).branches) {
    const std::string links = to_text(b.links);
    text += in_words(text.empty() ? "" : ", ", b.when ? "when(" : "otherwise(", b.when ? b.when->name : "",
                     b.when && !links.empty() ? ", " : "", links, ")");
  }
  return in_words("route(", text, ")");
}

}  // namespace

std::string to_text(const std::vector<node>& links) {
  std::string text;
  for (const node& n : links) text += in_words(text.empty() ? "" : " | ", text_of(n));
  return text;
}

}  // namespace text

parsed_chain parse(std::string_view text) {
  return parsed_chain(std::make_shared<const text::tree>(text::tree{text::links_of(text::calls_of(text))}));
}

std::string to_text(const parsed_chain& c) {
  const std::string text = text::to_text(c.tree().links);
  return text.empty() ? "chain()" : text;
}

}  // namespace thalweg
