// From a chain's tree to a program. Its passes are the library's: each transform's own, and the recipes'.
#include <utility>

#include <thalweg/text.hpp>

#include "../passes/dispatched.hpp"
#include "../passes/recipes.hpp"
#include "../passes/transforms.hpp"
#include "tree.hpp"

namespace thalweg {

namespace {

template <class T>
void add_nodes(detail::nodes<T>& to, const std::vector<text::node>& links, std::size_t set) {
  for (const auto& n : links) {
    if (const auto* leaf = std::get_if<text::shared_leaf>(&n)) {
      to.add((*leaf)->erased(std::type_identity<T>(), set));
    } else {
      to.begin_route();
      for (const auto& b : std::get<text::route>(n).branches)
        add_nodes(to.add_branch(b.when ? b.when->holds : detail::predicate_function()), b.links, set);
    }
  }
}

}  // namespace

template <class T>
detail::program<T> parsed_chain::as_program(std::size_t which) const {
  const auto& [set, run_by] = passes::available(which);
  detail::nodes<T> made;
  add_nodes(made, tree().links, set);
  return detail::make_program<T>(to_text(*this), std::move(made),
                                 passes::lowered_in_library::lower<T>(apply_update(), set),
                                 {.set = set, .run_by = run_by, .known = &passes::of_recipes<T>()});
}
template detail::program<float> parsed_chain::as_program(std::size_t) const;
template detail::program<double> parsed_chain::as_program(std::size_t) const;

template <class T>
detail::program<T> detail::program_of_text(std::string_view text, std::size_t which) {
  return parse(text).as_program<T>(which);
}
template detail::program<float> detail::program_of_text(std::string_view, std::size_t);
template detail::program<double> detail::program_of_text(std::string_view, std::size_t);

}  // namespace thalweg
