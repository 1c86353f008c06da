// Chains in which a parameter's way does not depend on the other parameters.
#pragma once

#include <string>
#include <type_traits>
#include <vector>

#include <thalweg/transforms.hpp>

namespace test {

/// Every such transform with its defaults, before the end that subtracts the update, or alone if it is an end; and recipes.
inline std::vector<std::string> independent_chains() {
  using namespace thalweg;
  std::vector<std::string> texts;
  const auto add = [&]<class Transform>() {
    constexpr auto what = detail::kind_of<Transform>();
    if constexpr (what != detail::kind::contextual && what != detail::kind::modelwise && !gate<Transform>) {
      const bool refuses_decay = std::is_same_v<Transform, step_on_sphere>;  // by the end
      const std::string text = (refuses_decay ? "decay_weights | " : "") + text_of(detail::with_defaults<Transform>());
      texts.push_back(terminal<Transform> ? text : text + " | apply_update");
    }
  };
  [&]<class... T>(type_list<T...>) { (add.template operator()<T>(), ...); }(all_transforms());
  for (const char* recipe : {"amuse", "adamw", "lion", "muon", "sf_adamw", "sf_muon", "soap", "weigh_by_largest_lr | sf_adamw"})
    texts.push_back(recipe);
  return texts;
}

}  // namespace test
