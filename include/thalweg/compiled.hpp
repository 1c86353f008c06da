// Recipes that the library holds compiled, for several instruction sets: their speed does not depend on the flags of
// whoever includes this, and nothing but a recipe's few numbers is compiled there.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include <thalweg/core/any_optimizer.hpp>
#include <thalweg/core/options.hpp>
#include <thalweg/core/tensor.hpp>
#include <thalweg/recipes.hpp>

namespace thalweg::compiled {

/// One of them; which one may be chosen at run time.
///
///     compiled::recipe chosen = recipes::adamw();
///     if (name == "amuse") chosen = recipes::amuse({.rho = 0.5});
using recipe = decltype([]<class... Recipes>(type_list<Recipes...>) {
  return std::variant<Recipes...>();
}(recipes::all()));

/// The instruction sets for which the library holds the recipes and which this machine has, the best first.
std::span<const std::string_view> instruction_sets();

namespace detail {
template <class Chain, class Recipe>
inline constexpr bool is_one_of = false;
template <class Chain, class... Chains>
inline constexpr bool is_one_of<Chain, std::variant<Chains...>> = (std::is_same_v<Chain, Chains> || ...);

/// For `instruction_sets()[set]`.
template <class T>
std::unique_ptr<thalweg::detail::engine<T>> bind(const recipe& chosen, std::vector<parameter<T>> parameters,
                                                 const options& o, std::size_t set);
}  // namespace detail

/// As `thalweg::optimizer`, its type the same for every recipe. The best instruction set that the machine has is chosen
/// here; `describe()` says which. Results equal those of the header-only chain within rounding. Throws what that throws.
/// To compare them, another of `instruction_sets()` may be named by its index, `set`.
///
///     auto opt = compiled::optimizer(recipes::amuse(), parameters, {.lr = 0.02, .warmup_steps = 100});
///     for (auto& batch : data) { backward(batch, gradients); opt.step(gradients); }
template <class T>
class optimizer : public any_optimizer<T> {
public:
  template <class Recipe>
  optimizer(const Recipe& chosen, const std::vector<parameter<T>>& parameters, const options& o, std::size_t set = 0)
      : any_optimizer<T>(detail::bind<T>(checked(chosen), parameters, o, set), parameters.size()) {}

private:
  template <class Recipe>
  static const Recipe& checked(const Recipe& chosen) {
    static_assert(std::is_same_v<Recipe, recipe> || detail::is_one_of<Recipe, recipe>,
                  "thalweg: only recipes are compiled in the library; give a chain of your own to "
                  "thalweg::optimizer(chain, parameters, options), which compiles it here");
    return chosen;
  }
};

template <class Recipe, class T>
optimizer(Recipe, std::vector<parameter<T>>, options) -> optimizer<T>;
template <class Recipe, class T>
optimizer(Recipe, std::vector<parameter<T>>, options, std::size_t) -> optimizer<T>;

}  // namespace thalweg::compiled
